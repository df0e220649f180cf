//! A small benchmark: five loops that an emulator feels differently, each with a checksum that must always be the same
//! and a rate that one can compare. They do the same work as the arm64 demo's.

use crate::console::say;
use crate::{text, timer};
use core::arch::x86_64 as sse;
use core::cell::UnsafeCell;
use core::hint::black_box;

/// Runs every loop `rounds` times.
pub fn run(rounds: u64) {
    let rounds = rounds.max(1);
    say!("{}", text::BENCH_HEADING);
    let loops: [(u64, fn() -> u64); 5] = [
        (text::INTEGER, integer),
        (text::CALLS, || fib(black_box(26))),
        (text::MEMORY, memory),
        // SAFETY: every x86-64 has SSE2, and `entry.s` turns it on.
        (text::FLOAT, || unsafe { float() }),
        // SAFETY: likewise.
        (text::VECTOR, || unsafe { vector() }),
    ];
    for (name, (passes, work)) in text::BENCH_NAMES.into_iter().zip(loops) {
        say!("{name}");
        let start = timer::now();
        let mut checksum = 0;
        for _ in 0..rounds {
            checksum = black_box(work());
        }
        let counts = u128::from(timer::now().wrapping_sub(start).max(1));
        // Tenths of a million a second.
        let rate = (u128::from(passes * rounds) * u128::from(timer::rate()) / 100_000 / counts) as u64;
        say!("{:5}.{}     {checksum:016x}\n", rate / 10, rate % 10);
    }
}

/// Shifts, multiplications and a branch that depends on them.
fn integer() -> u64 {
    let (mut x, mut sum) = (black_box(88_172_645_463_325_252_u64), 0_u64);
    for _ in 0..text::INTEGER {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum = sum.wrapping_add(x.wrapping_mul(text::GOLDEN));
        if x & 8 != 0 {
            sum = sum.rotate_right(9);
        }
    }
    sum
}

/// fib(n), the slow way: calls and returns. The pointer keeps the compiler from unrolling the recursion.
fn fib(n: u64) -> u64 {
    static AGAIN: fn(u64) -> u64 = fib;
    if n < 2 { n } else { black_box(AGAIN)(n - 1) + black_box(AGAIN)(n - 2) }
}

#[repr(align(4096))]
struct Array(UnsafeCell<[u64; 8192]>);
// SAFETY: one processor, and only `memory` touches it.
unsafe impl Sync for Array {}

static ARRAY: Array = Array(UnsafeCell::new([0; 8192]));

/// Loads and stores that hop through an array of 64 KiB.
fn memory() -> u64 {
    // SAFETY: see `Array`.
    let array = unsafe { &mut *ARRAY.0.get() };
    for (at, word) in (0..).step_by(8).zip(array.iter_mut()) {
        *word = at;
    }
    let (mut at, mut sum) = (1_u64, 0_u64);
    for left in (1..=text::MEMORY).rev() {
        at = at.wrapping_mul(text::GOLDEN).wrapping_add(left);
        let slot = &mut array[(at >> 51) as usize];
        *slot ^= at;
        sum = sum.wrapping_add(*slot);
    }
    sum
}

/// Double precision: a logistic map, whose last bit matters soon, with a square root and a division.
#[target_feature(enable = "sse2")]
fn float() -> u64 {
    let (mut x, mut sum) = (black_box(0.3_f64), 0.0);
    for _ in 0..text::FLOAT {
        x = x * (1.0 - x) * 3.99;
        sum += root(x) / (x + 1.0);
    }
    sum.to_bits()
}

#[target_feature(enable = "sse2")]
fn root(x: f64) -> f64 {
    let value = sse::_mm_set_sd(x);
    sse::_mm_cvtsd_f64(sse::_mm_sqrt_sd(value, value))
}

/// Four single-precision lanes and four integer lanes a time. Products with 1/8 are exact, so the sums are those of
/// fused operations.
#[target_feature(enable = "sse2")]
fn vector() -> u64 {
    let eighth = sse::_mm_set1_ps(0.125);
    let golden = sse::_mm_set1_epi32(0x9e37_79b9_u32.cast_signed());
    let mut a = black_box(sse::_mm_set_ps(-4.0, 3.0, 2.0, 1.0));
    let (mut b, mut c) = (sse::_mm_setzero_ps(), sse::_mm_set1_epi32(1));
    for _ in 0..text::VECTOR {
        // A turn of two coordinates, which neither grow nor vanish.
        a = sse::_mm_sub_ps(a, sse::_mm_mul_ps(b, eighth));
        b = sse::_mm_add_ps(b, sse::_mm_mul_ps(a, eighth));
        // SSE2 multiplies the even lanes, and the odd ones when they are moved there.
        let even = sse::_mm_mul_epu32(c, golden);
        let odd = sse::_mm_mul_epu32(sse::_mm_srli_epi64::<32>(c), golden);
        let low = sse::_mm_and_si128(even, sse::_mm_set1_epi64x(0xffff_ffff));
        let product = sse::_mm_or_si128(low, sse::_mm_slli_epi64::<32>(odd));
        c = sse::_mm_xor_si128(sse::_mm_add_epi32(product, golden), sse::_mm_castps_si128(b));
    }
    let high = sse::_mm_unpackhi_epi64(c, c);
    sse::_mm_cvtsi128_si64(sse::_mm_xor_si128(c, high)).cast_unsigned()
}
