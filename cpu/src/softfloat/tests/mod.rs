//! Tests: against the host's FPU ([`host`]), against exact arithmetic ([`exact`], [`oracle`], [`against_exact`]), and
//! of the rules that neither covers ([`rules`]).

mod against_exact;
mod exact;
mod host;
mod operands;
mod oracle;
mod rules;
