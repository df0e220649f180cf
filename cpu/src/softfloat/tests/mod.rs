//! Tests: against the host's FPU ([`host`]).

mod host;
mod operands;
