package catalog

// mathFunctions are the functions on numbers.
// The form of a line is described at parseFunctions.
const mathFunctions = `
1398 abs int2 int2 fis lc_abs2
1397 abs int4 int4 fis lc_abs4
1396 abs int8 int8 fis lc_abs8
1394 abs float4 float4 fis lc_fabs
1395 abs float8 float8 fis lc_fabs
1705 abs numeric numeric fis lc_nabs
2308 ceil float8 float8 fis lc_ceil
1711 ceil numeric numeric fis lc_nceil
2320 ceiling float8 float8 fis lc_ceil
2167 ceiling numeric numeric fis lc_nceil
2309 floor float8 float8 fis lc_floor
1712 floor numeric numeric fis lc_nfloor
1342 round float8 float8 fis lc_round
1708 round numeric numeric fis lc_nround($1, 0)
1707 round numeric,int4 numeric fis lc_nround
1343 trunc float8 float8 fis lc_trunc
1710 trunc numeric numeric fis lc_ntrunc($1, 0)
1709 trunc numeric,int4 numeric fis lc_ntrunc
2310 sign float8 float8 fis lc_sign
1706 sign numeric numeric fis lc_nsign
940 mod int2,int2 int2 fis lc_mod2
941 mod int4,int4 int4 fis lc_mod4
947 mod int8,int8 int8 fis lc_mod8
1728 mod numeric,numeric numeric fis lc_nmod
1973 div numeric,numeric numeric fis lc_ndivt
1368 power float8,float8 float8 fis lc_power
2169 power numeric,numeric numeric fis lc_npower
1346 pow float8,float8 float8 fis lc_power
1738 pow numeric,numeric numeric fis lc_npower
1344 sqrt float8 float8 fis lc_sqrt
1730 sqrt numeric numeric fis lc_nsqrt
1345 cbrt float8 float8 fis lc_cbrt
1347 exp float8 float8 fis lc_exp
1732 exp numeric numeric fis lc_nexp
1341 ln float8 float8 fis lc_ln
1734 ln numeric numeric fis lc_nln
1340 log float8 float8 fis lc_log10
1741 log numeric numeric fis lc_nlog10
1736 log numeric,numeric numeric fis lc_nlog
1194 log10 float8 float8 fis lc_log10
1481 log10 numeric numeric fis lc_nlog10
3281 scale numeric int4 fis lc_nscale
5042 min_scale numeric int4 fis lc_nminscale
5043 trim_scale numeric numeric fis lc_ntrimscale
5044 gcd int4,int4 int4 fis lc_gcd4
5045 gcd int8,int8 int8 fis lc_gcd8
5048 gcd numeric,numeric numeric fis lc_ngcd
5046 lcm int4,int4 int4 fis lc_lcm4
5047 lcm int8,int8 int8 fis lc_lcm8
5049 lcm numeric,numeric numeric fis lc_nlcm
1376 factorial int8 numeric fis lc_nfac
320 width_bucket float8,float8,float8,int4 int4 fis lc_width_bucket
2170 width_bucket numeric,numeric,numeric,int4 int4 fis lc_nwidth_bucket
3218 width_bucket anycompatible,anycompatiblearray int4 fis lc_width_bucket_array($1, $2, $t2)
1610 pi - float8 fis (3.141592653589793)
1598 random - float8 fvs lc_session_random()
1599 setseed float8 void fvs lc_setseed
1608 degrees float8 float8 fis lc_degrees
1609 radians float8 float8 fis lc_radians
1604 sin float8 float8 fis lc_sin
1605 cos float8 float8 fis lc_cos
1606 tan float8 float8 fis lc_tan
1607 cot float8 float8 fis lc_cot
1600 asin float8 float8 fis lc_asin
1601 acos float8 float8 fis lc_acos
1602 atan float8 float8 fis lc_atan
1603 atan2 float8,float8 float8 fis lc_atan2
2735 sind float8 float8 fis lc_sind
2736 cosd float8 float8 fis lc_cosd
2737 tand float8 float8 fis lc_tand
2738 cotd float8 float8 fis lc_cotd
2731 asind float8 float8 fis lc_asind
2732 acosd float8 float8 fis lc_acosd
2733 atand float8 float8 fis lc_atand
2734 atan2d float8,float8 float8 fis lc_atan2d
2462 sinh float8 float8 fis lc_sinh
2463 cosh float8 float8 fis lc_cosh
2464 tanh float8 float8 fis lc_tanh
2465 asinh float8 float8 fis lc_asinh
2466 acosh float8 float8 fis lc_acosh
2467 atanh float8 float8 fis lc_atanh
438 num_nulls ...any int4 fi- lc_num_nulls($args)
440 num_nonnulls ...any int4 fi- lc_num_nonnulls($args)
`
