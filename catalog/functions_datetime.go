package catalog

// datetimeFunctions are the functions on dates and times.
// The form of a line is described at parseFunctions.
const datetimeFunctions = `
1299 now - timestamptz fss $now
2647 transaction_timestamp - timestamptz fss $now
2648 statement_timestamp - timestamptz fss $snow
2649 clock_timestamp - timestamptz fvs lc_clock_timestamp()
274 timeofday - text fvs lc_timeofday($tz)
2020 date_trunc text,timestamp timestamp fis lc_date_trunc($1, $2)
1217 date_trunc text,timestamptz timestamptz fss lc_date_trunc_tz($1, $2, $tz)
1284 date_trunc text,timestamptz,text timestamptz fss lc_date_trunc_at($1, $2, $3)
1218 date_trunc text,interval interval fis lc_date_trunc_iv($1, $2)
6177 date_bin interval,timestamp,timestamp timestamp fis lc_date_bin
6178 date_bin interval,timestamptz,timestamptz timestamptz fis lc_date_bin
1384 date_part text,date float8 fis lc_n2f(lc_extract($1, lc_date_ts($2), 1114, 'UTC'))
1385 date_part text,time float8 fis lc_n2f(lc_extract($1, $2, 1083, 'UTC'))
1273 date_part text,timetz float8 fis lc_n2f(lc_extract($1, $2, 1266, 'UTC'))
2021 date_part text,timestamp float8 fis lc_n2f(lc_extract($1, $2, 1114, 'UTC'))
1171 date_part text,timestamptz float8 fss lc_n2f(lc_extract($1, $2, 1184, $tz))
1172 date_part text,interval float8 fis lc_n2f(lc_extract($1, $2, 1186, 'UTC'))
6199 extract text,date numeric fis lc_extract($1, $2, 1082, 'UTC')
6200 extract text,time numeric fis lc_extract($1, $2, 1083, 'UTC')
6201 extract text,timetz numeric fis lc_extract($1, $2, 1266, 'UTC')
6202 extract text,timestamp numeric fis lc_extract($1, $2, 1114, 'UTC')
6203 extract text,timestamptz numeric fss lc_extract($1, $2, 1184, $tz)
6204 extract text,interval numeric fis lc_extract($1, $2, 1186, 'UTC')
2058 age timestamp,timestamp interval fis lc_age($1, $2)
1199 age timestamptz,timestamptz interval fis lc_age(lc_tstz_ts($1, $tz), lc_tstz_ts($2, $tz))
2059 age timestamp interval fss lc_age(lc_date_ts(lc_ts_date(lc_tstz_ts($now, $tz))), $1)
1386 age timestamptz interval fss lc_age(lc_date_ts(lc_ts_date(lc_tstz_ts($now, $tz))), lc_tstz_ts($1, $tz))
3846 make_date int4:year,int4:month,int4:day date fis lc_make_date
3847 make_time int4:hour,int4:min,float8:sec time fis lc_make_time
3461 make_timestamp int4:year,int4:month,int4:mday,int4:hour,int4:min,float8:sec timestamp fis lc_make_timestamp
3462 make_timestamptz int4:year,int4:month,int4:mday,int4:hour,int4:min,float8:sec timestamptz fss lc_ts_tstz(lc_make_timestamp($1, $2, $3, $4, $5, $6), $tz)
3463 make_timestamptz int4:year,int4:month,int4:mday,int4:hour,int4:min,float8:sec,text:timezone timestamptz fss lc_ts_at(lc_make_timestamp($1, $2, $3, $4, $5, $6), $7)
3464 make_interval int4:years=0,int4:months=0,int4:weeks=0,int4:days=0,int4:hours=0,int4:mins=0,float8:secs=0.0 interval fis lc_make_interval
1295 justify_days interval interval fis lc_justify_days
1175 justify_hours interval interval fis lc_justify_hours
2711 justify_interval interval interval fis lc_justify_interval
1159 timezone text,timestamptz timestamp fis lc_tstz_at($2, $1)
2069 timezone text,timestamp timestamptz fis lc_ts_at($2, $1)
2037 timezone text,timetz timetz fss lc_timetz_zone($2, $1, $now)
1026 timezone interval,timestamptz timestamp fis lc_tstz_at($2, lc_zone_iv($1))
2070 timezone interval,timestamp timestamptz fis lc_ts_at($2, lc_zone_iv($1))
2038 timezone interval,timetz timetz fis lc_timetz_zone($2, lc_zone_iv($1), $now)
1373 isfinite date bool fis lc_isfinite_date
2048 isfinite timestamp bool fis lc_isfinite_ts
1389 isfinite timestamptz bool fis lc_isfinite_ts
1390 isfinite interval bool fis $1 IS $1
1308 overlaps time,time,time,time bool fi- lc_overlaps($1, $2, $3, $4)
1309 overlaps time,interval,time,interval bool fi- lc_overlaps($1, lc_time_add($1, $2, 1), $3, lc_time_add($3, $4, 1))
1310 overlaps time,time,time,interval bool fi- lc_overlaps($1, $2, $3, lc_time_add($3, $4, 1))
1311 overlaps time,interval,time,time bool fi- lc_overlaps($1, lc_time_add($1, $2, 1), $3, $4)
2041 overlaps timestamp,timestamp,timestamp,timestamp bool fi- lc_overlaps($1, $2, $3, $4)
2042 overlaps timestamp,interval,timestamp,interval bool fi- lc_overlaps($1, lc_ts_add($1, $2, 1), $3, lc_ts_add($3, $4, 1))
2043 overlaps timestamp,timestamp,timestamp,interval bool fi- lc_overlaps($1, $2, $3, lc_ts_add($3, $4, 1))
2044 overlaps timestamp,interval,timestamp,timestamp bool fi- lc_overlaps($1, lc_ts_add($1, $2, 1), $3, $4)
1304 overlaps timestamptz,timestamptz,timestamptz,timestamptz bool fi- lc_overlaps($1, $2, $3, $4)
1305 overlaps timestamptz,interval,timestamptz,interval bool fs- lc_overlaps($1, lc_tstz_add($1, $2, 1, $tz), $3, lc_tstz_add($3, $4, 1, $tz))
1306 overlaps timestamptz,timestamptz,timestamptz,interval bool fs- lc_overlaps($1, $2, $3, lc_tstz_add($3, $4, 1, $tz))
1307 overlaps timestamptz,interval,timestamptz,timestamptz bool fs- lc_overlaps($1, lc_tstz_add($1, $2, 1, $tz), $3, $4)
1271 overlaps timetz,timetz,timetz,timetz bool fi- lc_overlaps($1, $2, $3, $4)
3432 gen_random_uuid - uuid fvs lc_gen_random_uuid()
2626 pg_sleep float8 void fvs lc_sleep
3935 pg_sleep_for interval void fvs lc_sleep_iv
3936 pg_sleep_until timestamptz void fvs lc_sleep_until
`
