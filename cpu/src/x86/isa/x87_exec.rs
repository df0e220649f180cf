//! What x87 instructions do besides loading and storing the environment: by the opcode's low eleven bits, as FOP holds
//! them.

use super::x87_state::{C0, C1, C2, C3, Fpu, Response};
use crate::core::{Core, Raised};
use crate::softfloat::x80::{self, Angle, Quotient, Trigonometric, X80, X87};
use crate::softfloat::{Flags, Relation};
use crate::x86::{X64, flags, state};

type Fp = Core<X64>;
const INDEFINITE: X80 = X80::INDEFINITE;

/// Pushes what `f` gives, if the stack has room.
pub fn push(core: &mut Fp, f: impl FnOnce(&mut X87) -> X80) {
    if !core.is_empty(7) {
        if core.stack_fault(true) == Response::Deliver {
            core.push_value(INDEFINITE);
        }
        return;
    }
    let mut env = core.environment();
    let x = f(&mut env);
    if core.report(&env) == Response::Deliver {
        core.push_value(x);
    }
}

/// ST(0) becomes what `f` makes of it.
fn unary(core: &mut Fp, f: impl FnOnce(X80, &mut X87) -> X80) {
    if core.is_empty(0) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(0, INDEFINITE);
        }
        return;
    }
    let mut env = core.environment();
    let x = f(core.st(0), &mut env);
    if core.report(&env) == Response::Deliver {
        core.set_st(0, x);
    }
}

/// The arithmetic operation of a ModRM.reg field: of ST(0), or its counterpart, and the source.
fn arithmetic(op: u8, a: X80, b: X80, env: &mut X87) -> X80 {
    match op {
        0 => x80::add(a, b, env),
        1 => x80::mul(a, b, env),
        4 => x80::sub(a, b, env),
        5 => x80::sub(b, a, env),
        6 => x80::div(a, b, env),
        _ => x80::div(b, a, env),
    }
}

/// A source in memory, as a number; and whether it was denormal in its own format.
#[derive(Clone, Copy)]
pub struct Source {
    x: X80,
    flags: Flags,
}

impl Source {
    /// A source and what its conversion found.
    pub fn new(x: X80, env: &X87) -> Self {
        Source { x, flags: env.flags }
    }
}

/// FADD and its kin with a source in memory.
pub fn with_memory(core: &mut Fp, op: u8, s: Source) {
    if core.is_empty(0) {
        let response = core.stack_fault(false);
        match op {
            2 | 3 => {
                core.relation(Relation::Unordered);
                if op == 3 && response == Response::Deliver {
                    core.pop();
                }
            }
            _ if response == Response::Deliver => core.set_st(0, INDEFINITE),
            _ => {}
        }
        return;
    }
    let mut env = core.environment();
    let a = core.st(0);
    if op == 2 || op == 3 {
        let r = x80::compare(a, s.x, true, &mut env);
        add_denormal(&mut env, s, r == Relation::Unordered);
        let response = core.report(&env);
        core.relation(r);
        if op == 3 && response == Response::Deliver {
            core.pop();
        }
        return;
    }
    let r = arithmetic(op, a, s.x, &mut env);
    let nan = r.head & 0x7FFF == 0x7FFF && r.sig << 1 != 0;
    let nothing = nan || env.flags.contains(Flags::DIVZERO);
    add_denormal(&mut env, s, nothing);
    if core.report(&env) == Response::Deliver {
        core.set_st(0, r);
    }
}

/// A denormal source counts unless something of higher precedence was found.
fn add_denormal(env: &mut X87, s: Source, covered: bool) {
    if !covered && s.flags.contains(Flags::INPUT_DENORMAL) {
        env.flags.raise(Flags::INPUT_DENORMAL);
    }
}

/// FADD and its kin between registers: ST(`to`) gets the result.
fn with_register(core: &mut Fp, op: u8, i: u8, to: u8, pop: bool) {
    if core.is_empty(0) || core.is_empty(i) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(to, INDEFINITE);
            if pop {
                core.pop();
            }
        }
        return;
    }
    let mut env = core.environment();
    let r = arithmetic(op, core.st(0), core.st(i), &mut env);
    if core.report(&env) == Response::Deliver {
        core.set_st(to, r);
        if pop {
            core.pop();
        }
    }
}

/// FCOM, FUCOM and their kin; `pops` registers leave the stack.
fn compare(core: &mut Fp, i: u8, signal: bool, pops: u8) {
    let response = if core.is_empty(0) || core.is_empty(i) {
        let response = core.stack_fault(false);
        core.relation(Relation::Unordered);
        response
    } else {
        let mut env = core.environment();
        let r = x80::compare(core.st(0), core.st(i), signal, &mut env);
        let response = core.report(&env);
        core.relation(r);
        response
    };
    if response == Response::Deliver {
        (0..pops).for_each(|_| core.pop());
    }
}

/// FCOMI, FUCOMI and their kin.
fn compare_flags(core: &mut Fp, i: u8, signal: bool, pop: bool) {
    let (response, r) = if core.is_empty(0) || core.is_empty(i) {
        (core.stack_fault(false), Relation::Unordered)
    } else {
        let mut env = core.environment();
        let r = x80::compare(core.st(0), core.st(i), signal, &mut env);
        (core.report(&env), r)
    };
    let f = match r {
        Relation::Greater => 0,
        Relation::Less => flags::CF,
        Relation::Equal => flags::ZF,
        Relation::Unordered => flags::ZF | flags::PF | flags::CF,
    };
    core.set(state::FLAGS, f);
    if pop && response == Response::Deliver {
        core.pop();
    }
}

/// FST and FSTP to a register.
fn store_register(core: &mut Fp, i: u8, pop: bool) {
    core.codes(C1, 0);
    let x = if core.is_empty(0) {
        if core.stack_fault(false) == Response::Withhold {
            return;
        }
        INDEFINITE
    } else {
        core.st(0)
    };
    core.set_st(i, x);
    if pop {
        core.pop();
    }
}

fn exchange(core: &mut Fp, i: u8) {
    core.codes(C1, 0);
    if (core.is_empty(0) || core.is_empty(i)) && core.stack_fault(false) == Response::Withhold {
        return;
    }
    let [a, b] = [0, i].map(|k| if core.is_empty(k) { INDEFINITE } else { core.st(k) });
    core.set_st(0, b);
    core.set_st(i, a);
}

/// FCMOVcc: the low two bits of `cc` select B, E, BE, U; bit 2 turns it around.
fn conditional_move(core: &mut Fp, i: u8, cc: u8) {
    let f = core.reg(state::FLAGS);
    let mask = [flags::CF, flags::ZF, flags::CF | flags::ZF, flags::PF][cc as usize & 3];
    if core.is_empty(0) || core.is_empty(i) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(0, INDEFINITE);
        }
        return;
    }
    if (f & mask != 0) != (cc & 4 != 0) {
        let x = core.st(i);
        core.set_st(0, x);
    }
}

/// FXAM: the class of ST(0) in C3, C2, C0, its sign in C1.
fn examine(core: &mut Fp) {
    let x = core.st(0);
    let field = x.head & 0x7FFF;
    let class = if core.is_empty(0) {
        C3 | C0
    } else {
        match (field, x.sig) {
            (0, 0) => C3,
            (0, _) => C3 | C2,
            (_, s) if s >> 63 == 0 => 0,
            (0x7FFF, s) if s << 1 == 0 => C2 | C0,
            (0x7FFF, _) => C0,
            _ => C2,
        }
    };
    core.codes(C3 | C2 | C1 | C0, class | if x.sign() { C1 } else { 0 });
}

/// FPREM, FPREM1.
fn remainder(core: &mut Fp, kind: Quotient) {
    if core.is_empty(0) || core.is_empty(1) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(0, INDEFINITE);
        }
        core.codes(C2, 0);
        return;
    }
    let mut env = core.environment();
    let r = x80::rem(core.st(0), core.st(1), kind, &mut env);
    env.rounded_up = false;
    core.codes(C2, 0);
    let response = core.report(&env);
    if response == Response::Deliver {
        core.set_st(0, r.value);
        if r.value.head & 0x7FFF == 0x7FFF && r.value.sig << 1 != 0 {
            // A NaN says nothing of a quotient.
            return core.codes(C2, 0);
        }
        let q = r.quotient;
        let bit = |n: u8, c: u16| if q >> n & 1 != 0 { c } else { 0 };
        let partial = if r.partial { C2 } else { 0 };
        core.codes(C3 | C2 | C1 | C0, bit(2, C0) | bit(1, C3) | bit(0, C1) | partial);
    }
}

/// Operations on ST(0) and ST(1) with the result in ST(1), then a pop (FYL2X, FPATAN).
fn binary_pop(core: &mut Fp, f: fn(X80, X80, &mut X87) -> X80) {
    if core.is_empty(0) || core.is_empty(1) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(1, INDEFINITE);
            core.pop();
        }
        return;
    }
    let mut env = core.environment();
    let r = f(core.st(0), core.st(1), &mut env);
    if core.report(&env) == Response::Deliver {
        core.set_st(1, r);
        core.pop();
    }
}

/// Operations that replace ST(0) and push: the first result into ST(0), then the second.
fn replace_and_push(core: &mut Fp, f: impl FnOnce(X80, &mut X87) -> Option<(X80, X80)>) {
    let empty = core.is_empty(0);
    if empty || !core.is_empty(7) {
        if core.stack_fault(!empty) == Response::Deliver {
            core.set_st(0, INDEFINITE);
            core.push_value(INDEFINITE);
        }
        return;
    }
    let mut env = core.environment();
    let Some((first, second)) = f(core.st(0), &mut env) else {
        core.codes(C2 | C1, C2);
        return;
    };
    if core.report(&env) == Response::Deliver {
        core.set_st(0, first);
        core.push_value(second);
    }
}

/// FSIN, FCOS.
fn sine(core: &mut Fp, which: Trigonometric) {
    core.codes(C2, 0);
    if core.is_empty(0) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(0, INDEFINITE);
        }
        return;
    }
    let mut env = core.environment();
    match x80::trigonometric(core.st(0), which, &mut env) {
        Angle::TooLarge => core.codes(C2 | C1, C2),
        Angle::Results(s, c) => {
            if core.report(&env) == Response::Deliver {
                core.set_st(0, if which == Trigonometric::Cosine { c } else { s });
            }
        }
    }
}

/// FSINCOS, FPTAN.
fn results(a: X80, which: Trigonometric, env: &mut X87) -> Option<(X80, X80)> {
    match x80::trigonometric(a, which, env) {
        Angle::TooLarge => None,
        Angle::Results(s, c) => Some((s, c)),
    }
}

/// D9 with a register operand.
fn d9(core: &mut Fp, modrm: u8) {
    let i = modrm & 7;
    match modrm {
        0xC0..=0xC7 => {
            if core.is_empty(i) {
                if core.stack_fault(false) == Response::Deliver {
                    core.push_value(INDEFINITE);
                }
                return;
            }
            let x = core.st(i);
            push(core, |_| x);
        }
        0xC8..=0xCF => exchange(core, i),
        0xD0 => {}
        0xD8..=0xDF => {
            // FSTPNCE does not mind an empty register, and leaves the destination alone then.
            core.codes(C1, 0);
            if !core.is_empty(0) {
                let x = core.st(0);
                core.set_st(i, x);
            }
            core.pop();
        }
        0xE0 => unary_bits(core, |x| X80 { head: x.head ^ 0x8000, ..x }),
        0xE1 => unary_bits(core, |x| X80 { head: x.head & 0x7FFF, ..x }),
        0xE4 => {
            if core.is_empty(0) {
                core.stack_fault(false);
                return core.relation(Relation::Unordered);
            }
            let mut env = core.environment();
            let r = x80::compare(core.st(0), X80::default(), true, &mut env);
            core.report(&env);
            core.relation(r);
        }
        0xE5 => examine(core),
        0xE8..=0xEE => push(core, |env| x80::constant(modrm & 7, env.rounding)),
        0xF0 => unary(core, x80::exp2_minus_1),
        0xF1 => binary_pop(core, x80::y_log2_x),
        0xF2 => {
            core.codes(C2, 0);
            replace_and_push(core, |a, env| results(a, Trigonometric::Tangent, env));
        }
        0xF3 => binary_pop(core, x80::angle),
        0xF4 => replace_and_push(core, |a, env| Some(x80::extract(a, env))),
        0xF5 => remainder(core, Quotient::Nearest),
        0xF6 | 0xF7 => {
            core.codes(C1, 0);
            let top = core.top();
            core.set_top(if modrm == 0xF6 { top.wrapping_sub(1) } else { top.wrapping_add(1) });
        }
        0xF8 => remainder(core, Quotient::Truncated),
        0xF9 => binary_pop(core, x80::y_log2_x_plus_1),
        0xFA => unary(core, x80::sqrt),
        0xFB => {
            core.codes(C2, 0);
            replace_and_push(core, |a, env| results(a, Trigonometric::Both, env));
        }
        0xFC => unary(core, x80::round_int),
        0xFD => {
            if core.is_empty(1) {
                if core.stack_fault(false) == Response::Deliver {
                    core.set_st(0, INDEFINITE);
                }
                return;
            }
            let b = core.st(1);
            unary(core, |a, env| x80::scale(a, b, env));
        }
        0xFE => sine(core, Trigonometric::Sine),
        _ => sine(core, Trigonometric::Cosine),
    }
}

/// FCHS and FABS, which find nothing invalid but an empty register.
fn unary_bits(core: &mut Fp, f: fn(X80) -> X80) {
    core.codes(C1, 0);
    if core.is_empty(0) {
        if core.stack_fault(false) == Response::Deliver {
            core.set_st(0, INDEFINITE);
        }
        return;
    }
    let x = f(core.st(0));
    core.set_st(0, x);
}

/// An instruction with register operands: `opcode` as in FOP.
///
/// # Errors
/// Never; the type is that of instructions which access memory.
pub fn registers(core: &mut Fp, opcode: u16) -> Result<(), Raised> {
    let (group, modrm) = (opcode >> 8 & 7, opcode as u8);
    let (i, op) = (modrm & 7, modrm >> 3 & 7);
    match (group, op) {
        (0, 2 | 3) | (4, 2 | 3) => compare(core, i, true, op & 1),
        (0, _) => with_register(core, op, i, 0, false),
        (4, _) => with_register(core, op, i, i, false),
        (1, _) => d9(core, modrm),
        (2, 0..=3) => conditional_move(core, i, op),
        (2, _) => compare(core, 1, false, 2),
        (3, 0..=3) => conditional_move(core, i, op | 4),
        (3, 5) => compare_flags(core, i, false, false),
        (3, _) => compare_flags(core, i, true, false),
        (5, 0) => {
            core.codes(C1, 0);
            core.free(i);
        }
        (5, 1) => exchange(core, i),
        (5, 2) => store_register(core, i, false),
        (5, 3) => store_register(core, i, true),
        (5, _) => compare(core, i, false, op & 1),
        (6, 2) => compare(core, i, true, 1),
        (6, 3) => compare(core, 1, true, 2),
        (6, _) => with_register(core, op, i, i, true),
        (_, 0) => {
            core.codes(C1, 0);
            core.free(i);
            core.pop();
        }
        (_, 1) => exchange(core, i),
        (_, 2 | 3) => store_register(core, i, true),
        (_, 5) => compare_flags(core, i, false, true),
        _ => compare_flags(core, i, true, true),
    }
    Ok(())
}
