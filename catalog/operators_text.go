package catalog

// textOperators are concatenation and pattern matching.
// The form of a line is described at parseOperators.
const textOperators = `
2779 || text anynonarray text . . $1 || lc_text($2, $t2, $env)
2327 ~<=~ bpchar bpchar bool ~>=~ ~>~ $1 <= $2
2326 ~<~ bpchar bpchar bool ~>~ ~>=~ $1 < $2
2329 ~>=~ bpchar bpchar bool ~<=~ ~<~ $1 >= $2
2330 ~>~ bpchar bpchar bool ~<~ ~<=~ $1 > $2
2017 !~~ bytea bytea bool . ~~ NOT lc_blike($1, $2)
2018 || bytea bytea bytea . . lc_bcat($1, $2)
2016 ~~ bytea bytea bool . !~~ lc_blike($1, $2)
2780 || anynonarray text text . . lc_text($1, $t1, $env) || $2
1056 !~ bpchar text bool . ~ NOT lc_regex(lc_bppad($1, $m1), $2, '')
1235 !~* bpchar text bool . ~* NOT lc_regex(lc_bppad($1, $m1), $2, 'i')
1212 !~~ bpchar text bool . ~~ NOT lc_like(lc_bppad($1, $m1), $2)
1630 !~~* bpchar text bool . ~~* NOT lc_ilike(lc_bppad($1, $m1), $2)
1055 ~ bpchar text bool . !~ lc_regex(lc_bppad($1, $m1), $2, '')
1234 ~* bpchar text bool . !~* lc_regex(lc_bppad($1, $m1), $2, 'i')
1211 ~~ bpchar text bool . !~~ lc_like(lc_bppad($1, $m1), $2)
1629 ~~* bpchar text bool . !~~* lc_ilike(lc_bppad($1, $m1), $2)
640 !~ name text bool . ~ NOT lc_regex($1, $2, '')
1227 !~* name text bool . ~* NOT lc_regex($1, $2, 'i')
1208 !~~ name text bool . ~~ NOT lc_like($1, $2)
1626 !~~* name text bool . ~~* NOT lc_ilike($1, $2)
639 ~ name text bool . !~ lc_regex($1, $2, '')
1226 ~* name text bool . !~* lc_regex($1, $2, 'i')
1207 ~~ name text bool . !~~ lc_like($1, $2)
1625 ~~* name text bool . !~~* lc_ilike($1, $2)
642 !~ text text bool . ~ NOT lc_regex($1, $2, '')
1229 !~* text text bool . ~* NOT lc_regex($1, $2, 'i')
1210 !~~ text text bool . ~~ NOT lc_like($1, $2)
1628 !~~* text text bool . ~~* NOT lc_ilike($1, $2)
3877 ^@ text text bool . . lc_starts_with($1, $2)
654 || text text text . . $1 || $2
641 ~ text text bool . !~ lc_regex($1, $2, '')
1228 ~* text text bool . !~* lc_regex($1, $2, 'i')
2315 ~<=~ text text bool ~>=~ ~>~ $1 <= $2
2314 ~<~ text text bool ~>~ ~>=~ $1 < $2
2317 ~>=~ text text bool ~<=~ ~<~ $1 >= $2
2318 ~>~ text text bool ~<~ ~<=~ $1 > $2
1209 ~~ text text bool . !~~ lc_like($1, $2)
1627 ~~* text text bool . !~~* lc_ilike($1, $2)
`
