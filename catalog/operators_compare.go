package catalog

// compareOperators are the comparisons. Stored forms compare as SQLite compares them, numeric under RTRIM, interval and
// timetz under LCKEY, jsonb under LCJSON; of arrays only the keys count, since equal elements may be stored differently
// (numeric 1.0 and 1.00).
// The form of a line is described at parseOperators.
const compareOperators = `
1070 = anyarray anyarray bool = <> lc_array_key($1) = lc_array_key($2)
1071 <> anyarray anyarray bool <> = lc_array_key($1) <> lc_array_key($2)
1072 < anyarray anyarray bool > >= lc_array_key($1) < lc_array_key($2)
1073 > anyarray anyarray bool < <= lc_array_key($1) > lc_array_key($2)
1074 <= anyarray anyarray bool >= > lc_array_key($1) <= lc_array_key($2)
1075 >= anyarray anyarray bool <= < lc_array_key($1) >= lc_array_key($2)
58 < bool bool bool > >= $1 < $2
59 > bool bool bool < <= $1 > $2
85 <> bool bool bool <> = $1 <> $2
91 = bool bool bool = <> $1 = $2
1694 <= bool bool bool >= > $1 <= $2
1695 >= bool bool bool <= < $1 >= $2
1054 = bpchar bpchar bool = <> $1 = $2
1057 <> bpchar bpchar bool <> = $1 <> $2
1058 < bpchar bpchar bool > >= $1 < $2
1059 <= bpchar bpchar bool >= > $1 <= $2
1060 > bpchar bpchar bool < <= $1 > $2
1061 >= bpchar bpchar bool <= < $1 >= $2
1955 = bytea bytea bool = <> $1 = $2
1956 <> bytea bytea bool <> = $1 <> $2
1957 < bytea bytea bool > >= $1 < $2
1958 <= bytea bytea bool >= > $1 <= $2
1959 > bytea bytea bool < <= $1 > $2
1960 >= bytea bytea bool <= < $1 >= $2
92 = char char bool = <> $1 = $2
630 <> char char bool <> = $1 <> $2
631 < char char bool > >= $1 < $2
632 <= char char bool >= > $1 <= $2
633 > char char bool < <= $1 > $2
634 >= char char bool <= < $1 >= $2
385 = cid cid bool = . $1 = $2
1093 = date date bool = <> $1 = $2
1094 <> date date bool <> = $1 <> $2
1095 < date date bool > >= $1 < $2
1096 <= date date bool >= > $1 <= $2
1097 > date date bool < <= $1 > $2
1098 >= date date bool <= < $1 >= $2
2345 < date timestamp bool > >= lc_cmp_date($1) < $2
2346 <= date timestamp bool >= > lc_cmp_date($1) <= $2
2347 = date timestamp bool = <> lc_cmp_date($1) = $2
2348 >= date timestamp bool <= < lc_cmp_date($1) >= $2
2349 > date timestamp bool < <= lc_cmp_date($1) > $2
2350 <> date timestamp bool <> = lc_cmp_date($1) <> $2
2358 < date timestamptz bool > >= lc_cmp_ts(lc_cmp_date($1), $tz) < $2
2359 <= date timestamptz bool >= > lc_cmp_ts(lc_cmp_date($1), $tz) <= $2
2360 = date timestamptz bool = <> lc_cmp_ts(lc_cmp_date($1), $tz) = $2
2361 >= date timestamptz bool <= < lc_cmp_ts(lc_cmp_date($1), $tz) >= $2
2362 > date timestamptz bool < <= lc_cmp_ts(lc_cmp_date($1), $tz) > $2
2363 <> date timestamptz bool <> = lc_cmp_ts(lc_cmp_date($1), $tz) <> $2
620 = float4 float4 bool = <> $1 = $2
621 <> float4 float4 bool <> = $1 <> $2
622 < float4 float4 bool > >= $1 < $2
623 > float4 float4 bool < <= $1 > $2
624 <= float4 float4 bool >= > $1 <= $2
625 >= float4 float4 bool <= < $1 >= $2
1120 = float4 float8 bool = <> $1 = $2
1121 <> float4 float8 bool <> = $1 <> $2
1122 < float4 float8 bool > >= $1 < $2
1123 > float4 float8 bool < <= $1 > $2
1124 <= float4 float8 bool >= > $1 <= $2
1125 >= float4 float8 bool <= < $1 >= $2
1130 = float8 float4 bool = <> $1 = $2
1131 <> float8 float4 bool <> = $1 <> $2
1132 < float8 float4 bool > >= $1 < $2
1133 > float8 float4 bool < <= $1 > $2
1134 <= float8 float4 bool >= > $1 <= $2
1135 >= float8 float4 bool <= < $1 >= $2
670 = float8 float8 bool = <> $1 = $2
671 <> float8 float8 bool <> = $1 <> $2
672 < float8 float8 bool > >= $1 < $2
673 <= float8 float8 bool >= > $1 <= $2
674 > float8 float8 bool < <= $1 > $2
675 >= float8 float8 bool <= < $1 >= $2
94 = int2 int2 bool = <> $1 = $2
95 < int2 int2 bool > >= $1 < $2
519 <> int2 int2 bool <> = $1 <> $2
520 > int2 int2 bool < <= $1 > $2
522 <= int2 int2 bool >= > $1 <= $2
524 >= int2 int2 bool <= < $1 >= $2
532 = int2 int4 bool = <> $1 = $2
534 < int2 int4 bool > >= $1 < $2
536 > int2 int4 bool < <= $1 > $2
538 <> int2 int4 bool <> = $1 <> $2
540 <= int2 int4 bool >= > $1 <= $2
542 >= int2 int4 bool <= < $1 >= $2
1862 = int2 int8 bool = <> $1 = $2
1863 <> int2 int8 bool <> = $1 <> $2
1864 < int2 int8 bool > >= $1 < $2
1865 > int2 int8 bool < <= $1 > $2
1866 <= int2 int8 bool >= > $1 <= $2
1867 >= int2 int8 bool <= < $1 >= $2
533 = int4 int2 bool = <> $1 = $2
535 < int4 int2 bool > >= $1 < $2
537 > int4 int2 bool < <= $1 > $2
539 <> int4 int2 bool <> = $1 <> $2
541 <= int4 int2 bool >= > $1 <= $2
543 >= int4 int2 bool <= < $1 >= $2
96 = int4 int4 bool = <> $1 = $2
97 < int4 int4 bool > >= $1 < $2
518 <> int4 int4 bool <> = $1 <> $2
521 > int4 int4 bool < <= $1 > $2
523 <= int4 int4 bool >= > $1 <= $2
525 >= int4 int4 bool <= < $1 >= $2
15 = int4 int8 bool = <> $1 = $2
36 <> int4 int8 bool <> = $1 <> $2
37 < int4 int8 bool > >= $1 < $2
76 > int4 int8 bool < <= $1 > $2
80 <= int4 int8 bool >= > $1 <= $2
82 >= int4 int8 bool <= < $1 >= $2
1868 = int8 int2 bool = <> $1 = $2
1869 <> int8 int2 bool <> = $1 <> $2
1870 < int8 int2 bool > >= $1 < $2
1871 > int8 int2 bool < <= $1 > $2
1872 <= int8 int2 bool >= > $1 <= $2
1873 >= int8 int2 bool <= < $1 >= $2
416 = int8 int4 bool = <> $1 = $2
417 <> int8 int4 bool <> = $1 <> $2
418 < int8 int4 bool > >= $1 < $2
419 > int8 int4 bool < <= $1 > $2
420 <= int8 int4 bool >= > $1 <= $2
430 >= int8 int4 bool <= < $1 >= $2
410 = int8 int8 bool = <> $1 = $2
411 <> int8 int8 bool <> = $1 <> $2
412 < int8 int8 bool > >= $1 < $2
413 > int8 int8 bool < <= $1 > $2
414 <= int8 int8 bool >= > $1 <= $2
415 >= int8 int8 bool <= < $1 >= $2
1330 = interval interval bool = <> $1 = $2 COLLATE LCKEY
1331 <> interval interval bool <> = $1 <> $2 COLLATE LCKEY
1332 < interval interval bool > >= $1 < $2 COLLATE LCKEY
1333 <= interval interval bool >= > $1 <= $2 COLLATE LCKEY
1334 > interval interval bool < <= $1 > $2 COLLATE LCKEY
1335 >= interval interval bool <= < $1 >= $2 COLLATE LCKEY
3240 = jsonb jsonb bool = <> $1 = $2 COLLATE LCJSON
3241 <> jsonb jsonb bool <> = $1 <> $2 COLLATE LCJSON
3242 < jsonb jsonb bool > >= $1 < $2 COLLATE LCJSON
3243 > jsonb jsonb bool < <= $1 > $2 COLLATE LCJSON
3244 <= jsonb jsonb bool >= > $1 <= $2 COLLATE LCJSON
3245 >= jsonb jsonb bool <= < $1 >= $2 COLLATE LCJSON
93 = name name bool = <> $1 = $2
643 <> name name bool <> = $1 <> $2
660 < name name bool > >= $1 < $2
661 <= name name bool >= > $1 <= $2
662 > name name bool < <= $1 > $2
663 >= name name bool <= < $1 >= $2
254 = name text bool = <> $1 = $2
255 < name text bool > >= $1 < $2
256 <= name text bool >= > $1 <= $2
257 >= name text bool <= < $1 >= $2
258 > name text bool < <= $1 > $2
259 <> name text bool <> = $1 <> $2
1752 = numeric numeric bool = <> $1 = $2 COLLATE RTRIM
1753 <> numeric numeric bool <> = $1 <> $2 COLLATE RTRIM
1754 < numeric numeric bool > >= $1 < $2 COLLATE RTRIM
1755 <= numeric numeric bool >= > $1 <= $2 COLLATE RTRIM
1756 > numeric numeric bool < <= $1 > $2 COLLATE RTRIM
1757 >= numeric numeric bool <= < $1 >= $2 COLLATE RTRIM
607 = oid oid bool = <> $1 = $2
608 <> oid oid bool <> = $1 <> $2
609 < oid oid bool > >= $1 < $2
610 > oid oid bool < <= $1 > $2
611 <= oid oid bool >= > $1 <= $2
612 >= oid oid bool <= < $1 >= $2
644 <> oidvector oidvector bool <> = $1 <> $2
645 < oidvector oidvector bool > >= $1 < $2
646 > oidvector oidvector bool < <= $1 > $2
647 <= oidvector oidvector bool >= > $1 <= $2
648 >= oidvector oidvector bool <= < $1 >= $2
649 = oidvector oidvector bool = <> $1 = $2
2988 = record record bool = <> lc_record_cmp($1, $2) = 0
2989 <> record record bool <> = lc_record_cmp($1, $2) <> 0
2990 < record record bool > >= lc_record_cmp($1, $2) < 0
2991 > record record bool < <= lc_record_cmp($1, $2) > 0
2992 <= record record bool >= > lc_record_cmp($1, $2) <= 0
2993 >= record record bool <= < lc_record_cmp($1, $2) >= 0
260 = text name bool = <> $1 = $2
261 < text name bool > >= $1 < $2
262 <= text name bool >= > $1 <= $2
263 >= text name bool <= < $1 >= $2
264 > text name bool < <= $1 > $2
265 <> text name bool <> = $1 <> $2
98 = text text bool = <> $1 = $2
531 <> text text bool <> = $1 <> $2
664 < text text bool > >= $1 < $2
665 <= text text bool >= > $1 <= $2
666 > text text bool < <= $1 > $2
667 >= text text bool <= < $1 >= $2
1108 = time time bool = <> $1 = $2
1109 <> time time bool <> = $1 <> $2
1110 < time time bool > >= $1 < $2
1111 <= time time bool >= > $1 <= $2
1112 > time time bool < <= $1 > $2
1113 >= time time bool <= < $1 >= $2
2371 < timestamp date bool > >= $1 < lc_cmp_date($2)
2372 <= timestamp date bool >= > $1 <= lc_cmp_date($2)
2373 = timestamp date bool = <> $1 = lc_cmp_date($2)
2374 >= timestamp date bool <= < $1 >= lc_cmp_date($2)
2375 > timestamp date bool < <= $1 > lc_cmp_date($2)
2376 <> timestamp date bool <> = $1 <> lc_cmp_date($2)
2060 = timestamp timestamp bool = <> $1 = $2
2061 <> timestamp timestamp bool <> = $1 <> $2
2062 < timestamp timestamp bool > >= $1 < $2
2063 <= timestamp timestamp bool >= > $1 <= $2
2064 > timestamp timestamp bool < <= $1 > $2
2065 >= timestamp timestamp bool <= < $1 >= $2
2534 < timestamp timestamptz bool > >= lc_cmp_ts($1, $tz) < $2
2535 <= timestamp timestamptz bool >= > lc_cmp_ts($1, $tz) <= $2
2536 = timestamp timestamptz bool = <> lc_cmp_ts($1, $tz) = $2
2537 >= timestamp timestamptz bool <= < lc_cmp_ts($1, $tz) >= $2
2538 > timestamp timestamptz bool < <= lc_cmp_ts($1, $tz) > $2
2539 <> timestamp timestamptz bool <> = lc_cmp_ts($1, $tz) <> $2
2384 < timestamptz date bool > >= $1 < lc_cmp_ts(lc_cmp_date($2), $tz)
2385 <= timestamptz date bool >= > $1 <= lc_cmp_ts(lc_cmp_date($2), $tz)
2386 = timestamptz date bool = <> $1 = lc_cmp_ts(lc_cmp_date($2), $tz)
2387 >= timestamptz date bool <= < $1 >= lc_cmp_ts(lc_cmp_date($2), $tz)
2388 > timestamptz date bool < <= $1 > lc_cmp_ts(lc_cmp_date($2), $tz)
2389 <> timestamptz date bool <> = $1 <> lc_cmp_ts(lc_cmp_date($2), $tz)
2540 < timestamptz timestamp bool > >= $1 < lc_cmp_ts($2, $tz)
2541 <= timestamptz timestamp bool >= > $1 <= lc_cmp_ts($2, $tz)
2542 = timestamptz timestamp bool = <> $1 = lc_cmp_ts($2, $tz)
2543 >= timestamptz timestamp bool <= < $1 >= lc_cmp_ts($2, $tz)
2544 > timestamptz timestamp bool < <= $1 > lc_cmp_ts($2, $tz)
2545 <> timestamptz timestamp bool <> = $1 <> lc_cmp_ts($2, $tz)
1320 = timestamptz timestamptz bool = <> $1 = $2
1321 <> timestamptz timestamptz bool <> = $1 <> $2
1322 < timestamptz timestamptz bool > >= $1 < $2
1323 <= timestamptz timestamptz bool >= > $1 <= $2
1324 > timestamptz timestamptz bool < <= $1 > $2
1325 >= timestamptz timestamptz bool <= < $1 >= $2
1550 = timetz timetz bool = <> $1 = $2 COLLATE LCKEY
1551 <> timetz timetz bool <> = $1 <> $2 COLLATE LCKEY
1552 < timetz timetz bool > >= $1 < $2 COLLATE LCKEY
1553 <= timetz timetz bool >= > $1 <= $2 COLLATE LCKEY
1554 > timetz timetz bool < <= $1 > $2 COLLATE LCKEY
1555 >= timetz timetz bool <= < $1 >= $2 COLLATE LCKEY
2972 = uuid uuid bool = <> $1 = $2
2973 <> uuid uuid bool <> = $1 <> $2
2974 < uuid uuid bool > >= $1 < $2
2975 > uuid uuid bool < <= $1 > $2
2976 <= uuid uuid bool >= > $1 <= $2
2977 >= uuid uuid bool <= < $1 >= $2
353 = xid int4 bool . <> $1 = $2
3316 <> xid int4 bool . = $1 <> $2
352 = xid xid bool = <> $1 = $2
3315 <> xid xid bool <> = $1 <> $2
5068 = xid8 xid8 bool = <> $1 = $2
5072 <> xid8 xid8 bool <> = $1 <> $2
5073 < xid8 xid8 bool > >= $1 < $2
5074 > xid8 xid8 bool < <= $1 > $2
5075 <= xid8 xid8 bool >= > $1 <= $2
5076 >= xid8 xid8 bool <= < $1 >= $2
`
