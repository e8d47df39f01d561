//! The rounds of SHA-256 (FIPS 180-4 §6.2.2), written once for words and for vectors of them: a module that says how to
//! add and rotate gets a function that compresses.

/// Defines `rounds`, which takes the state through one block of sixteen words. In scope must be `add`, `splat`,
/// `choice`, `majority`, `big_sigma0`, `big_sigma1`, `small_sigma0` and `small_sigma1` of the vector.
macro_rules! define_rounds {
    ($features:literal, $vector:ty) => {
        #[target_feature(enable = $features)]
        #[inline]
        fn rounds(state: [$vector; 8], mut w: [$vector; 16]) -> [$vector; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;

            macro_rules! round {
                ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident, $w:expr, $k:expr) => {
                    let first = add(add(add($h, add($w, splat($k))), choice($e, $f, $g)), big_sigma1($e));
                    $d = add($d, first);
                    $h = add(first, add(majority($a, $b, $c), big_sigma0($a)));
                };
            }
            macro_rules! eight {
                ($k:ident, $w:ident, $i0:literal $i1:literal $i2:literal $i3:literal
                   $i4:literal $i5:literal $i6:literal $i7:literal) => {
                    round!(a, b, c, d, e, f, g, h, $w!($i0), $k[$i0]);
                    round!(h, a, b, c, d, e, f, g, $w!($i1), $k[$i1]);
                    round!(g, h, a, b, c, d, e, f, $w!($i2), $k[$i2]);
                    round!(f, g, h, a, b, c, d, e, $w!($i3), $k[$i3]);
                    round!(e, f, g, h, a, b, c, d, $w!($i4), $k[$i4]);
                    round!(d, e, f, g, h, a, b, c, $w!($i5), $k[$i5]);
                    round!(c, d, e, f, g, h, a, b, $w!($i6), $k[$i6]);
                    round!(b, c, d, e, f, g, h, a, $w!($i7), $k[$i7]);
                };
            }
            macro_rules! given {
                ($at:literal) => {
                    w[$at]
                };
            }
            macro_rules! expanded {
                ($at:literal) => {{
                    let near = add(small_sigma0(w[($at + 1) % 16]), w[($at + 9) % 16]);
                    w[$at] = add(add(w[$at], small_sigma1(w[($at + 14) % 16])), near);
                    w[$at]
                }};
            }

            let [k, later @ ..] = &$crate::block::ROUND_CONSTANTS;
            eight!(k, given, 0 1 2 3 4 5 6 7);
            eight!(k, given, 8 9 10 11 12 13 14 15);
            for k in later {
                eight!(k, expanded, 0 1 2 3 4 5 6 7);
                eight!(k, expanded, 8 9 10 11 12 13 14 15);
            }
            let [a0, b0, c0, d0, e0, f0, g0, h0] = state;
            [
                add(a, a0), add(b, b0), add(c, c0), add(d, d0), add(e, e0), add(f, f0), add(g, g0), add(h, h0),
            ]
        }
    };
}
pub(crate) use define_rounds;
