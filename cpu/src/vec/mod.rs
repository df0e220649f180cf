//! The table of vector operations. Scalar floating point lives here too: it works on lane 0 of a vector register.
//!
//! An operation takes up to three 128-bit values and a constant. Its function is its meaning; engines without a native
//! form call it. Results of 64-bit and scalar arrangements have zeros above.
//!
//! The vocabulary is small on purpose: an instruction is composed from operations that hosts have (a multiply
//! accumulate is a multiply and an add, an across-lanes long sum is a pairwise widening and a sum).

pub mod lanes;

mod arith;
mod bits;
mod compare;
mod crypto_aes;
mod crypto_sha;
mod fp_arith;
mod fp_bf16;
mod fp_compare;
mod fp_convert;
mod fp_env;
mod fp_estimate;
mod permute;
mod reduce;
mod saturate;
mod shift;
mod widen;
mod x86_arith;
mod x86_crypto;
mod x86_fp;
mod x86_permute;
mod x86_string;

#[cfg(test)]
mod tests;

/// The constants of floating-point operations.
pub mod fp {
    pub use super::fp_arith::{EXACT, RANGE64};
    pub use super::fp_convert::{Fixed, ROUNDING, TO, TO_BF16, TO_ODD};
    pub use super::fp_env::rounding;
    pub use super::x86_fp::sign;
}

pub use lanes::{Lanes, Part};

/// The floating-point control and status that vector operations read and accumulate into, in the guest's own layout:
/// Arm's FPCR and FPSR, or with [`FpEnv::X86`] in the control x86's MXCSR, whose exception flags are the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FpEnv {
    /// control: rounding, flushing, default NaN
    pub control: u32,
    /// cumulative status bits, only ever set by operations
    pub status: u32,
}

impl FpEnv {
    /// Bit of the control, reserved in FPCR and MXCSR: the layout and the rules are x86's.
    pub const X86: u32 = 1 << 31;

    /// The cumulative saturation bit, FPSR.QC; x86 has none and never looks at it.
    pub const QC: u32 = 1 << 27;

    /// Records that an element saturated.
    #[inline(always)]
    pub fn saturated(&mut self, yes: bool) {
        self.status |= ((yes && self.control & Self::X86 == 0) as u32) << 27;
    }
}

/// The function of an operation: arrangement, constant, operands, environment.
pub type VecFn = fn(Lanes, u32, u128, u128, u128, &mut FpEnv) -> u128;

/// Defines functions of [`VecFn`]'s shape: `name = |l, imm, a, b, c, env| meaning;`, with `_` for what is not used.
macro_rules! functions {
    ($($(#[$meta:meta])* $name:ident =
        |$l:pat_param, $i:pat_param, $a:pat_param, $b:pat_param, $c:pat_param, $env:pat_param| $e:expr;)*) => { $(
        $(#[$meta])*
        pub(super) fn $name(
            $l: $crate::vec::Lanes, $i: u32, $a: u128, $b: u128, $c: u128, $env: &mut $crate::vec::FpEnv,
        ) -> u128 {
            $e
        }
    )* };
}
use functions;

/// Defines [`VecOp`]: rows are `Name = path::of::function;`, or `Name = path::of::function, env;` for operations that
/// read or write [`FpEnv`].
macro_rules! vec_ops { (@touches) => { false }; (@touches env) => { true };
($($(#[$doc:meta])* $op:ident = $f:path $(, $env:ident)?;)*) => {
    /// A vector operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[repr(u16)]
    pub enum VecOp { $($(#[$doc])* $op),* }

    impl VecOp {
        /// Every operation of the table.
        pub const ALL: &[Self] = &[$(Self::$op),*];

        const FUNCTIONS: &[VecFn] = &[$($f),*];
        const TOUCHES: &[bool] = &[$(vec_ops!(@touches $($env)?)),*];
    }
} }

impl VecOp {
    /// The operation's function, as compiled code calls it.
    #[inline(always)]
    pub const fn func(self) -> VecFn {
        Self::FUNCTIONS[self as usize]
    }

    /// Whether the operation reads or writes [`FpEnv`].
    #[inline(always)]
    pub const fn touches_env(self) -> bool {
        Self::TOUCHES[self as usize]
    }

    /// The meaning. `imm` is the operation's constant; unused operands are ignored. With a known operation this is a
    /// direct call, with an unknown one a call through the table.
    #[inline(always)]
    pub fn eval(self, l: Lanes, imm: u32, a: u128, b: u128, c: u128, env: &mut FpEnv) -> u128 {
        self.func()(l, imm, a, b, c, env)
    }
}

vec_ops! {
    // ---- bits.rs ----
    /// a and b
    And = bits::and;
    /// a and not b
    AndNot = bits::and_not;
    /// a or b
    Or = bits::or;
    /// a or not b
    OrNot = bits::or_not;
    /// a exclusive-or b
    Xor = bits::xor;
    /// bits of a where c is set, of b where it is clear
    Select = bits::select;
    /// the low 64 bits, zeros above
    Low = bits::low;
    /// b's part of the arrangement, a's bits elsewhere (MOVSS, MOVSD, the upper elements of scalar results)
    Merge = bits::merge;

    // ---- arith.rs ----
    /// per element a + b
    Add = arith::add;
    /// per element a - b
    Sub = arith::sub;
    /// per element the low half of a × b
    Mul = arith::mul;
    /// per element -a
    Neg = arith::neg;
    /// per element the absolute value of a; the minimum is its own
    Abs = arith::abs;
    /// per element the signed minimum
    MinS = arith::min_s;
    /// per element the signed maximum
    MaxS = arith::max_s;
    /// per element the unsigned minimum
    MinU = arith::min_u;
    /// per element the unsigned maximum
    MaxU = arith::max_u;
    /// per element (a + b) / 2, signed, rounded down
    AvgS = arith::avg_s;
    /// per element (a + b) / 2, unsigned, rounded down
    AvgU = arith::avg_u;
    /// per element (a + b + 1) / 2, signed, rounded down
    AvgUpS = arith::avg_up_s;
    /// per element (a + b + 1) / 2, unsigned, rounded down
    AvgUpU = arith::avg_up_u;
    /// per element (a - b) / 2, signed, rounded down
    HalfSubS = arith::half_sub_s;
    /// per element (a - b) / 2, unsigned operands, rounded down
    HalfSubU = arith::half_sub_u;
    /// per element |a - b|, signed operands
    DiffS = arith::diff_s;
    /// per element |a - b|, unsigned operands
    DiffU = arith::diff_u;
    /// per element the low half of the carry-less product
    MulPoly = arith::mul_poly;
    /// per element the number of one bits
    Popcnt = arith::popcnt;
    /// per element the number of leading zero bits
    Clz = arith::clz;
    /// per element the number of leading bits equal to the sign bit, not counting it
    Cls = arith::cls;
    /// per element the bits in reverse order
    Rbit = arith::rbit;
    /// per 32-bit element the estimate of the reciprocal (`UnsignedRecipEstimate`)
    RecipEstimate = arith::recip_estimate;
    /// per 32-bit element the estimate of the reciprocal square root (`UnsignedRSqrtEstimate`)
    RsqrtEstimate = arith::rsqrt_estimate;

    // ---- compare.rs: all ones where it holds ----
    /// per element a = b
    Eq = compare::eq;
    /// per element a > b, signed
    GtS = compare::gt_s;
    /// per element a ≥ b, signed
    GeS = compare::ge_s;
    /// per element a > b, unsigned
    GtU = compare::gt_u;
    /// per element a ≥ b, unsigned
    GeU = compare::ge_u;
    /// per element: a and b have a bit in common
    Any = compare::any;

    // ---- shift.rs: the constant is the count, or b holds signed counts (negative: right) ----
    /// per element a << imm
    Shl = shift::shl;
    /// per element a >> imm, zeros coming in
    ShrU = shift::shr_u;
    /// per element a >> imm, signs coming in
    ShrS = shift::shr_s;
    /// per element a >> imm (from 1), zeros coming in, rounded
    RoundShrU = shift::round_shr_u;
    /// per element a >> imm (from 1), signs coming in, rounded
    RoundShrS = shift::round_shr_s;
    /// per element a shifted by b, unsigned
    ShiftU = shift::by_u;
    /// per element a shifted by b, signed
    ShiftS = shift::by_s;
    /// per element a shifted by b, unsigned, right shifts rounded
    RoundShiftU = shift::round_by_u;
    /// per element a shifted by b, signed, right shifts rounded
    RoundShiftS = shift::round_by_s;

    // ---- widen.rs: the arrangement names the narrow elements; imm is the operands' half ----
    /// elements of a, zero extended to twice the size
    ExtendU = widen::extend_u;
    /// elements of a, sign extended to twice the size
    ExtendS = widen::extend_s;
    /// a × b, unsigned, in twice the size
    MulWideU = widen::mul_wide_u;
    /// a × b, signed, in twice the size
    MulWideS = widen::mul_wide_s;
    /// the carry-less product in twice the size, of 8- or 64-bit elements
    MulWidePoly = widen::mul_wide_poly;
    /// the low halves of a's elements, in the low 64 bits
    Narrow = widen::narrow_low;

    // ---- saturate.rs: QC is set when an element saturates ----
    /// per element a + b, unsigned
    SatAddU = saturate::add_u, env;
    /// per element a + b, signed
    SatAddS = saturate::add_s, env;
    /// per element a - b, unsigned
    SatSubU = saturate::sub_u, env;
    /// per element a - b, signed
    SatSubS = saturate::sub_s, env;
    /// per element signed a + unsigned b, signed
    SatAddSU = saturate::add_su, env;
    /// per element unsigned a + signed b, unsigned
    SatAddUS = saturate::add_us, env;
    /// per element |a|, signed
    SatAbs = saturate::abs, env;
    /// per element -a, signed
    SatNeg = saturate::neg, env;
    /// per element of up to 32 bits the high half of 2ab, signed; rounded if imm is 1
    SatMulHigh = saturate::mul_high, env;
    /// per element of up to 32 bits the rounded high half of c·2^n + 2ab, signed
    SatMulAddHigh = saturate::mul_add_high, env;
    /// per element of up to 32 bits the rounded high half of c·2^n - 2ab, signed
    SatMulSubHigh = saturate::mul_sub_high, env;
    /// 2ab, signed, in twice the size; imm is the operands' half
    SatMulWide = saturate::mul_double_wide, env;
    /// signed elements of twice the size to signed ones, in the low 64 bits
    SatNarrowS = saturate::narrow_s, env;
    /// unsigned elements of twice the size to unsigned ones, in the low 64 bits
    SatNarrowU = saturate::narrow_u, env;
    /// signed elements of twice the size to unsigned ones, in the low 64 bits
    SatNarrowSU = saturate::narrow_su, env;
    /// per element a shifted by b, unsigned
    SatShiftU = saturate::shl_by_u, env;
    /// per element a shifted by b, signed
    SatShiftS = saturate::shl_by_s, env;
    /// per element a shifted by b, unsigned, right shifts rounded
    SatRoundShiftU = saturate::round_by_u, env;
    /// per element a shifted by b, signed, right shifts rounded
    SatRoundShiftS = saturate::round_by_s, env;
    /// per element signed a << imm, unsigned
    SatShlSU = saturate::shl_su, env;

    // ---- permute.rs ----
    /// alternately the elements of the low halves of a and b
    Zip1 = permute::zip1;
    /// alternately the elements of the high halves of a and b
    Zip2 = permute::zip2;
    /// the even elements of a, then those of b
    Unzip1 = permute::unzip1;
    /// the odd elements of a, then those of b
    Unzip2 = permute::unzip2;
    /// alternately the even elements of a and b
    Transpose1 = permute::transpose1;
    /// alternately the odd elements of a and b
    Transpose2 = permute::transpose2;
    /// bytes imm onwards of a, followed by the first bytes of b
    Extract = permute::extract;
    /// bytes of a by the indices in b, zero where they are 16 or more
    Table = permute::table;
    /// bytes of a by the indices in b, those of c where they are 16 or more
    TableOr = permute::table_or;
    /// element imm of a in every element; the element may lie above the arrangement's part
    DupLane = permute::dup_lane;
    /// elements in reverse order within containers of 2^imm bytes
    Reverse = permute::reverse;

    // ---- reduce.rs ----
    /// the sum of all elements of a, in lane 0
    SumV = reduce::add;
    /// the signed minimum of all elements of a, in lane 0
    MinSV = reduce::min_s;
    /// the signed maximum of all elements of a, in lane 0
    MaxSV = reduce::max_s;
    /// the unsigned minimum of all elements of a, in lane 0
    MinUV = reduce::min_u;
    /// the unsigned maximum of all elements of a, in lane 0
    MaxUV = reduce::max_u;
    /// per 32-bit element c + the sum of four products of signed bytes
    DotS = reduce::dot_s;
    /// per 32-bit element c + the sum of four products of unsigned bytes
    DotU = reduce::dot_u;
    /// per 32-bit element c + the sum of four products of unsigned bytes of a and signed bytes of b
    DotUS = reduce::dot_us;
    /// c + the product of the 2×8 matrices of signed bytes a and b transposed
    MatrixS = reduce::matrix_s;
    /// c + the product of the 2×8 matrices of unsigned bytes a and b transposed
    MatrixU = reduce::matrix_u;
    /// c + the product of the 2×8 matrices of unsigned bytes a and signed bytes b transposed
    MatrixUS = reduce::matrix_us;

    // ---- crypto_aes.rs ----
    /// AESE: state a, round key b
    AesEncrypt = crypto_aes::encrypt;
    /// AESD: state a, round key b
    AesDecrypt = crypto_aes::decrypt;
    /// AESMC
    AesMix = crypto_aes::mix_columns;
    /// AESIMC
    AesUnmix = crypto_aes::unmix_columns;
    /// SM4E: state a, round keys b
    Sm4Encrypt = crypto_aes::sm4_encrypt;
    /// SM4EKEY: keys a, constants b
    Sm4Key = crypto_aes::sm4_key;

    // ---- crypto_sha.rs: a is the destination's old value, b and c the operands in order ----
    /// SHA1C
    Sha1Choose = crypto_sha::sha1_choose;
    /// SHA1P
    Sha1Parity = crypto_sha::sha1_parity;
    /// SHA1M
    Sha1Majority = crypto_sha::sha1_majority;
    /// SHA1SU1
    Sha1Update1 = crypto_sha::sha1_update1;
    /// SHA256H
    Sha256Hash = crypto_sha::sha256_hash;
    /// SHA256H2
    Sha256Hash2 = crypto_sha::sha256_hash2;
    /// SHA256SU0
    Sha256Update0 = crypto_sha::sha256_update0;
    /// SHA256SU1
    Sha256Update1 = crypto_sha::sha256_update1;
    /// SHA512H
    Sha512Hash = crypto_sha::sha512_hash;
    /// SHA512H2
    Sha512Hash2 = crypto_sha::sha512_hash2;
    /// SHA512SU0
    Sha512Update0 = crypto_sha::sha512_update0;
    /// SHA512SU1
    Sha512Update1 = crypto_sha::sha512_update1;
    /// SM3PARTW1
    Sm3Part1 = crypto_sha::sm3_part1;
    /// SM3PARTW2
    Sm3Part2 = crypto_sha::sm3_part2;
    /// SM3SS1 of a, b and c
    Sm3Ss1 = crypto_sha::sm3_ss1;
    /// SM3TT1A with element imm of c
    Sm3Tt1a = crypto_sha::sm3_tt1a;
    /// SM3TT1B with element imm of c
    Sm3Tt1b = crypto_sha::sm3_tt1b;
    /// SM3TT2A with element imm of c
    Sm3Tt2a = crypto_sha::sm3_tt2a;
    /// SM3TT2B with element imm of c
    Sm3Tt2b = crypto_sha::sm3_tt2b;

    // ---- x86_arith.rs: as one SSE or AVX instruction does it ----
    /// per element of up to 32 bits the high half of a × b, signed
    MulHighS = x86_arith::mul_high_s;
    /// per element of up to 32 bits the high half of a × b, unsigned
    MulHighU = x86_arith::mul_high_u;
    /// per element of up to 32 bits the high half of 2ab, signed, rounded, wrapping (PMULHRSW)
    MulHighRound = x86_arith::mul_high_round;
    /// a × b of the even elements, signed, in twice the size (PMULDQ)
    MulEvenS = x86_arith::mul_even_s;
    /// a × b of the even elements, unsigned, in twice the size (PMULUDQ)
    MulEvenU = x86_arith::mul_even_u;
    /// sums of the products of neighbours, signed, in twice the size (PMADDWD)
    MulAddPairs = x86_arith::mul_add_pairs;
    /// sums of the products of neighbours, unsigned of a and signed of b, saturated to twice the size (PMADDUBSW)
    MulAddPairsUS = x86_arith::mul_add_pairs_us;
    /// per 64 bits the sum of the differences of bytes (PSADBW)
    SumDiffU = x86_arith::sum_diff_u;
    /// per 16-bit element the sum of the differences of four bytes of a, from there on, and of b; imm says where
    /// (MPSADBW)
    SumDiffBlocks = x86_arith::sum_diff_blocks;
    /// the least 16-bit element of a, and its number in bits 18:16 (PHMINPOSUW)
    MinPosition = x86_arith::min_position;
    /// per element a, negated, or zero, as the sign of b says (PSIGN)
    Sign = x86_arith::sign;
    /// per element a << the low 64 bits of b (PSLL)
    ShlAll = x86_arith::shl_all;
    /// per element a >> the low 64 bits of b, zeros coming in (PSRL)
    ShrAllU = x86_arith::shr_all_u;
    /// per element a >> the low 64 bits of b, signs coming in (PSRA)
    ShrAllS = x86_arith::shr_all_s;
    /// per element a << b, unsigned counts (VPSLLV)
    ShlBy = x86_arith::shl_by;
    /// per element a >> b, unsigned counts, zeros coming in (VPSRLV)
    ShrByU = x86_arith::shr_by_u;
    /// per element a >> b, unsigned counts, signs coming in (VPSRAV)
    ShrByS = x86_arith::shr_by_s;

    // ---- x86_permute.rs ----
    /// the lower half of the elements from a, the upper half from b, each by a field of imm (SHUFPS, SHUFPD, PSHUFD)
    Shuffle = x86_permute::shuffle;
    /// the four elements of the low half of a by fields of imm (PSHUFLW)
    ShuffleLow = x86_permute::shuffle_low;
    /// the four elements of the high half of a by fields of imm (PSHUFHW)
    ShuffleHigh = x86_permute::shuffle_high;
    /// bytes of a by the low bits of b's, zero where b's bit 7 is set (PSHUFB)
    ShuffleBytes = x86_permute::shuffle_bytes;
    /// elements of a by indices in b: 32-bit ones by its low two bits, 64-bit ones by bit 1 (VPERMILPS, VPERMILPD)
    ShuffleBy = x86_permute::shuffle_by;
    /// elements of a and then b by the low bits of c's (VPERMD)
    Permute2 = x86_permute::permute2;
    /// elements of twice the size of a, then of b, with signed saturation to signed ones (PACKSS)
    PackS = x86_permute::pack_s;
    /// elements of twice the size of a, then of b, with signed saturation to unsigned ones (PACKUS)
    PackU = x86_permute::pack_u;
    /// elements of a from the low end, sign extended to 2^imm bytes (PMOVSX)
    WidenS = x86_permute::widen_s;
    /// elements of a from the low end, zero extended to 2^imm bytes (PMOVZX)
    WidenU = x86_permute::widen_u;
    /// the elements' highest bits as a number (PMOVMSKB, MOVMSKPS, MOVMSKPD)
    MoveMask = x86_permute::move_mask;
    /// flags in [`crate::x86::flags`] form: ZF if a and b have no bit in common, CF if b has none that a lacks; of elements
    /// larger than bytes the highest bits only (PTEST, VTESTPS, VTESTPD)
    Test = x86_permute::test;
    /// per element b where the highest bit of c is set, else a (PBLENDVB, BLENDVPS, BLENDVPD)
    Blend = x86_permute::blend;

    // ---- x86_crypto.rs, x86_string.rs ----
    /// AESENC; AESENCLAST with imm 1: state a, round key b
    AesRound = x86_crypto::aes_round;
    /// AESDEC; AESDECLAST with imm 1: state a, round key b
    AesUnround = x86_crypto::aes_unround;
    /// AESKEYGENASSIST with imm
    AesKeyAssist = x86_crypto::aes_key_assist;
    /// the carry-less product of 64-bit elements: of a by bit 0 of imm, of b by bit 4 (PCLMULQDQ)
    MulPolyHalves = x86_crypto::mul_poly_halves;
    /// per byte a × b in the field of AES (GF2P8MULB)
    GfMul = x86_crypto::gf_mul;
    /// per byte the product of a 64-bit element of b, a matrix of bits, and a, plus imm (GF2P8AFFINEQB)
    GfAffine = x86_crypto::gf_affine;
    /// the same with the inverse of a in the field of AES (GF2P8AFFINEINVQB)
    GfAffineInverse = x86_crypto::gf_affine_inverse;
    /// SHA1RNDS4 with imm: state a, words b
    Sha1Rounds = x86_crypto::sha1_rounds;
    /// SHA1NEXTE
    Sha1Next = x86_crypto::sha1_next;
    /// SHA1MSG1
    Sha1Message1 = x86_crypto::sha1_message1;
    /// SHA1MSG2
    Sha1Message2 = x86_crypto::sha1_message2;
    /// SHA256RNDS2: C, D, G, H in a, A, B, E, F in b, words and constants in c
    Sha256Rounds = x86_crypto::sha256_rounds;
    /// SHA256MSG1
    Sha256Message1 = x86_crypto::sha256_message1;
    /// SHA256MSG2
    Sha256Message2 = x86_crypto::sha256_message2;
    /// PCMPISTRI and its kin: imm is the instruction's; with bit 8 the lengths are in the first two words of c, without
    /// they are implicit; the index in lane 0, flags in x86's stored form in lane 1; with bit 9 the mask instead
    StringCompare = x86_string::compare;

    // ---- fp_arith.rs: elements are binary16, binary32 or binary64 by their size; NaNs, rounding, flushing by the control ----
    /// the elements of the arrangement, zeros above
    FMov = fp_arith::fmov;
    /// |a|, a change of the sign bit
    FAbs = fp_arith::fabs;
    /// -a, a change of the sign bit
    FNeg = fp_arith::fneg;
    /// a + b
    FAdd = fp_arith::fadd, env;
    /// a - b
    FSub = fp_arith::fsub, env;
    /// a × b
    FMul = fp_arith::fmul, env;
    /// a × b, where infinity times zero is two with the product's sign
    FMulX = fp_arith::fmulx, env;
    /// a / b
    FDiv = fp_arith::fdiv, env;
    /// √a
    FSqrt = fp_arith::fsqrt, env;
    /// a × b + c, rounded once
    FMulAdd = fp_arith::fmul_add, env;
    /// a × b + c, rounded once: binary16 factors, packed in the low bits, and binary32 addends and results
    FMulAddWide = fp_arith::fmul_add_wide, env;
    /// the greater; NaNs propagate, -0 < +0
    FMax = fp_arith::fmax, env;
    /// the lesser; NaNs propagate, -0 < +0
    FMin = fp_arith::fmin, env;
    /// the greater; a number beats a quiet NaN
    FMaxNm = fp_arith::fmax_num, env;
    /// the lesser; a number beats a quiet NaN
    FMinNm = fp_arith::fmin_num, env;
    /// a rounded to an integer; imm is one of [`fp::rounding`], and [`fp::EXACT`] if inexact is signalled
    FRound = fp_arith::fround, env;
    /// a rounded to an integer of 32 bits, or 64 with [`fp::RANGE64`]; the most negative one if it does not fit
    FRoundN = fp_arith::fround_n, env;

    // ---- fp_bf16.rs ----
    /// c plus the sum of two products: bfloat16 pairs in a and b, binary32 in c; FPCR and FPSR have no part in it
    BfDot = fp_bf16::bf_dot;

    // ---- fp_compare.rs ----
    /// all ones where a = b; a signalling NaN is invalid
    FCmpEq = fp_compare::fcmp_eq, env;
    /// all ones where a ≥ b; any NaN is invalid
    FCmpGe = fp_compare::fcmp_ge, env;
    /// all ones where a > b; any NaN is invalid
    FCmpGt = fp_compare::fcmp_gt, env;
    /// condition flags of comparing elements 0, in [`crate::op::nzcv`] form; with imm 1 any NaN is invalid
    FCmp = fp_compare::fcmp, env;

    // ---- fp_convert.rs ----
    /// a as an integer, by [`fp::Fixed`]; saturating, a NaN is zero
    FToInt = fp_convert::fto_int, env;
    /// an integer as a floating-point number of the arrangement's element size, by [`fp::Fixed`]
    IntToF = fp_convert::int_to_f, env;
    /// a, binary64, modulo 2^32 as JavaScript does; in the second word flags in [`crate::op::nzcv`] form: Z if exact
    FToIntJs = fp_convert::fto_int_js, env;
    /// elements of the arrangement in another format of size [`fp::TO`], packed in the low bits; imm may add
    /// [`fp::TO_ODD`], [`fp::TO_BF16`]. FPCR.AHP selects what half precision is.
    FCvt = fp_convert::fcvt, env;

    // ---- fp_estimate.rs ----
    /// an estimate of 1 / a with 8 bits
    FRecipEstimate = fp_estimate::frecip_estimate, env;
    /// an estimate of 1 / √a with 8 bits
    FRsqrtEstimate = fp_estimate::frsqrt_estimate, env;
    /// the power of two with a's exponent complemented
    FRecipExponent = fp_estimate::frecip_exponent, env;
    /// 2 - a × b, rounded once
    FRecipStep = fp_estimate::frecip_step, env;
    /// (3 - a × b) / 2, rounded once
    FRsqrtStep = fp_estimate::frsqrt_step, env;

    // ---- x86_fp.rs ----
    /// all ones where the predicate imm of VCMPPS holds
    FCmpX = x86_fp::fcmp, env;
    /// flags of comparing elements 0 as COMISS sets them, in [`crate::x86::flags`] form; with imm 1 any NaN is invalid
    FComi = x86_fp::fcomi, env;
    /// a - b in even elements, a + b in odd ones (ADDSUBPS)
    FAddSub = x86_fp::fadd_sub, env;
    /// a × b + c, rounded once, with signs changed by [`fp::sign`]; the NaN of a goes first
    FMulAddX = x86_fp::fmul_add, env;
    /// the sum of products of the elements that bits 7:4 of imm select, in those of bits 3:0 (DPPS, DPPD)
    FDot = x86_fp::fdot, env;
    /// an estimate of 1 / a with 12 bits (RCPPS): 1 / a rounded to them
    FRecipX = x86_fp::frecip;
    /// an estimate of 1 / √a with 12 bits (RSQRTPS): rounded to them
    FRsqrtX = x86_fp::frsqrt;
}
