//! Tests: against the host's FPU ([`host`]), against exact arithmetic ([`exact`], [`oracle`], [`against_exact`]), and
//! of the rules that neither covers ([`rules`]); and of the extended format ([`x80`]).

mod against_exact;
mod exact;
mod host;
mod operands;
mod oracle;
mod rules;
mod x80;
