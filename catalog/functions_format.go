package catalog

// formatFunctions are to_char and its inverses.
// The form of a line is described at parseFunctions.
const formatFunctions = `
2049 to_char timestamp,text text fss lc_to_char_ts($1, $2)
1770 to_char timestamptz,text text fss lc_to_char_tstz($1, $2, $tz)
1768 to_char interval,text text fss lc_to_char_iv($1, $2)
1772 to_char numeric,text text fss lc_to_char_num($1, $2, 0)
1773 to_char int4,text text fss lc_to_char_num($1, $2, 0)
1774 to_char int8,text text fss lc_to_char_num($1, $2, 0)
1775 to_char float4,text text fss lc_to_char_num($1, $2, 6)
1776 to_char float8,text text fss lc_to_char_num($1, $2, 15)
1777 to_number text,text numeric fss lc_to_number
1780 to_date text,text date fss lc_to_date
1778 to_timestamp text,text timestamptz fss lc_to_timestamp($1, $2, $tz)
1158 to_timestamp float8 timestamptz fis lc_to_timestamp_float
`
