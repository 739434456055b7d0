package catalog

// arithOperators are arithmetic and bit operations on numbers. The lc_ functions raise 22003 and 22012 as PostgreSQL does.
// The form of a line is described at parseOperators.
const arithOperators = `
1919 + - float4 float4 . . $1
584 - - float4 float4 . . lc_fneg($1)
590 @ - float4 float4 . . lc_fabs($1)
589 * float4 float4 float4 * . lc_fmul4($1, $2)
586 + float4 float4 float4 + . lc_fadd4($1, $2)
587 - float4 float4 float4 . . lc_fsub4($1, $2)
588 / float4 float4 float4 . . lc_fdiv4($1, $2)
1129 * float8 float4 float8 * . lc_fmul($1, $2)
1126 + float8 float4 float8 + . lc_fadd($1, $2)
1127 - float8 float4 float8 . . lc_fsub($1, $2)
1128 / float8 float4 float8 . . lc_fdiv($1, $2)
1920 + - float8 float8 . . $1
585 - - float8 float8 . . lc_fneg($1)
595 @ - float8 float8 . . lc_fabs($1)
596 |/ - float8 float8 . . lc_sqrt($1)
597 ||/ - float8 float8 . . lc_cbrt($1)
1119 * float4 float8 float8 * . lc_fmul($1, $2)
1116 + float4 float8 float8 + . lc_fadd($1, $2)
1117 - float4 float8 float8 . . lc_fsub($1, $2)
1118 / float4 float8 float8 . . lc_fdiv($1, $2)
594 * float8 float8 float8 * . lc_fmul($1, $2)
591 + float8 float8 float8 + . lc_fadd($1, $2)
592 - float8 float8 float8 . . lc_fsub($1, $2)
593 / float8 float8 float8 . . lc_fdiv($1, $2)
965 ^ float8 float8 float8 . . lc_power($1, $2)
1917 + - int2 int2 . . $1
559 - - int2 int2 . . lc_neg2($1)
682 @ - int2 int2 . . lc_abs2($1)
1877 ~ - int2 int2 . . ~$1
1876 # int2 int2 int2 # . lc_bxor($1, $2)
529 % int2 int2 int2 . . lc_mod2($1, $2)
1874 & int2 int2 int2 & . $1 & $2
526 * int2 int2 int2 * . lc_mul2($1, $2)
550 + int2 int2 int2 + . lc_add2($1, $2)
554 - int2 int2 int2 . . lc_sub2($1, $2)
527 / int2 int2 int2 . . lc_div2($1, $2)
1875 | int2 int2 int2 | . $1 | $2
545 * int4 int2 int4 * . lc_mul4($1, $2)
553 + int4 int2 int4 + . lc_add4($1, $2)
557 - int4 int2 int4 . . lc_sub4($1, $2)
547 / int4 int2 int4 . . lc_div4($1, $2)
820 * int8 int2 int8 * . lc_mul8($1, $2)
818 + int8 int2 int8 + . lc_add8($1, $2)
819 - int8 int2 int8 . . lc_sub8($1, $2)
821 / int8 int2 int8 . . lc_div8($1, $2)
1918 + - int4 int4 . . $1
558 - - int4 int4 . . lc_neg4($1)
773 @ - int4 int4 . . lc_abs4($1)
1883 ~ - int4 int4 . . ~$1
544 * int2 int4 int4 * . lc_mul4($1, $2)
552 + int2 int4 int4 + . lc_add4($1, $2)
556 - int2 int4 int4 . . lc_sub4($1, $2)
546 / int2 int4 int4 . . lc_div4($1, $2)
1878 << int2 int4 int2 . . lc_shl2($1, $2)
1879 >> int2 int4 int2 . . lc_shr2($1, $2)
1882 # int4 int4 int4 # . lc_bxor($1, $2)
530 % int4 int4 int4 . . lc_mod4($1, $2)
1880 & int4 int4 int4 & . $1 & $2
514 * int4 int4 int4 * . lc_mul4($1, $2)
551 + int4 int4 int4 + . lc_add4($1, $2)
555 - int4 int4 int4 . . lc_sub4($1, $2)
528 / int4 int4 int4 . . lc_div4($1, $2)
1884 << int4 int4 int4 . . lc_shl4($1, $2)
1885 >> int4 int4 int4 . . lc_shr4($1, $2)
1881 | int4 int4 int4 | . $1 | $2
690 * int8 int4 int8 * . lc_mul8($1, $2)
688 + int8 int4 int8 + . lc_add8($1, $2)
689 - int8 int4 int8 . . lc_sub8($1, $2)
691 / int8 int4 int8 . . lc_div8($1, $2)
1890 << int8 int4 int8 . . lc_shl8($1, $2)
1891 >> int8 int4 int8 . . lc_shr8($1, $2)
1916 + - int8 int8 . . $1
484 - - int8 int8 . . lc_neg8($1)
473 @ - int8 int8 . . lc_abs8($1)
1889 ~ - int8 int8 . . ~$1
824 * int2 int8 int8 * . lc_mul8($1, $2)
822 + int2 int8 int8 + . lc_add8($1, $2)
823 - int2 int8 int8 . . lc_sub8($1, $2)
825 / int2 int8 int8 . . lc_div8($1, $2)
694 * int4 int8 int8 * . lc_mul8($1, $2)
692 + int4 int8 int8 + . lc_add8($1, $2)
693 - int4 int8 int8 . . lc_sub8($1, $2)
695 / int4 int8 int8 . . lc_div8($1, $2)
1888 # int8 int8 int8 # . lc_bxor($1, $2)
439 % int8 int8 int8 . . lc_mod8($1, $2)
1886 & int8 int8 int8 & . $1 & $2
686 * int8 int8 int8 * . lc_mul8($1, $2)
684 + int8 int8 int8 + . lc_add8($1, $2)
685 - int8 int8 int8 . . lc_sub8($1, $2)
687 / int8 int8 int8 . . lc_div8($1, $2)
1887 | int8 int8 int8 | . $1 | $2
1921 + - numeric numeric . . $1
1751 - - numeric numeric . . lc_nneg($1)
1763 @ - numeric numeric . . lc_nabs($1)
1762 % numeric numeric numeric . . lc_nmod($1, $2)
1760 * numeric numeric numeric * . lc_nmul($1, $2)
1758 + numeric numeric numeric + . lc_nadd($1, $2)
1759 - numeric numeric numeric . . lc_nsub($1, $2)
1761 / numeric numeric numeric . . lc_ndiv($1, $2)
1038 ^ numeric numeric numeric . . lc_npower($1, $2)
`
