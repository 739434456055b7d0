package catalog

// textFunctions are the functions on text and bytea.
// The form of a line is described at parseFunctions.
const textFunctions = `
1317 length text int4 fis lc_length
1318 length bpchar int4 fis lc_length
2010 length bytea int4 fis length($1)
1713 length bytea,name int4 fss lc_length(lc_convert_from($1, $2))
1381 char_length text int4 fis lc_length
1372 char_length bpchar int4 fis lc_length
1369 character_length text int4 fis lc_length
1367 character_length bpchar int4 fis lc_length
1374 octet_length text int4 fis octet_length($1)
720 octet_length bytea int4 fis octet_length($1)
1375 octet_length bpchar int4 fis octet_length(lc_bppad($1, $m1))
1811 bit_length text int4 fis octet_length($1) * 8
1810 bit_length bytea int4 fis octet_length($1) * 8
871 upper text text fis lc_upper
870 lower text text fis lc_lower
872 initcap text text fis lc_initcap
883 substr text,int4 text fis lc_substr
877 substr text,int4,int4 text fis lc_substr
2086 substr bytea,int4 bytea fis lc_bsubstr
2085 substr bytea,int4,int4 bytea fis lc_bsubstr
937 substring text,int4 text fis lc_substr
936 substring text,int4,int4 text fis lc_substr
2013 substring bytea,int4 bytea fis lc_bsubstr
2012 substring bytea,int4,int4 bytea fis lc_bsubstr
2073 substring text,text text fis lc_substring_regex($1, $2)
2074 substring text,text,text text fis lc_substring_regex($1, lc_similar_escape($2, $3))
1623 similar_escape text,text text fi- lc_similar_escape
1987 similar_to_escape text text fis lc_similar_escape($1, '\')
1986 similar_to_escape text,text text fis lc_similar_escape
1637 like_escape text,text text fis lc_like_escape
1569 like text,text bool fis lc_like
1571 like name,text bool fis lc_like
2007 like bytea,bytea bool fis lc_blike
1570 notlike text,text bool fis NOT lc_like($1, $2)
1572 notlike name,text bool fis NOT lc_like($1, $2)
2008 notlike bytea,bytea bool fis NOT lc_blike($1, $2)
849 position text,text int4 fis lc_position($2, $1)
2014 position bytea,bytea int4 fis lc_bposition($2, $1)
868 strpos text,text int4 fis lc_position($2, $1)
1404 overlay text,text,int4,int4 text fis lc_overlay
1405 overlay text,text,int4 text fis lc_overlay
749 overlay bytea,bytea,int4,int4 bytea fis lc_boverlay
752 overlay bytea,bytea,int4 bytea fis lc_boverlay
885 btrim text text fis lc_btrim
884 btrim text,text text fis lc_btrim
2015 btrim bytea,bytea bytea fis lc_bbtrim
881 ltrim text text fis lc_ltrim
875 ltrim text,text text fis lc_ltrim
6195 ltrim bytea,bytea bytea fis lc_bltrim
882 rtrim text text fis lc_rtrim
876 rtrim text,text text fis lc_rtrim
6196 rtrim bytea,bytea bytea fis lc_brtrim
873 lpad text,int4,text text fis lc_lpad
879 lpad text,int4 text fis lc_lpad
874 rpad text,int4,text text fis lc_rpad
880 rpad text,int4 text fis lc_rpad
3060 left text,int4 text fis lc_left
3061 right text,int4 text fis lc_right
1622 repeat text,int4 text fis lc_repeat
3062 reverse text text fis lc_reverse
2087 replace text,text,text text fis lc_replace
878 translate text,text,text text fis lc_translate
2088 split_part text,text,int4 text fis lc_split_part
3058 concat ...any text fs- lc_concat($env, $targs)
3059 concat_ws text,...any text fs- lc_concat_ws($env, $1, $targs2)
3539 format text,...any text fs- lc_format($env, $1, $targs2)
3540 format text text fs- lc_format($env, $1)
1282 quote_ident text text fis lc_quote_ident
1283 quote_literal text text fis lc_quote_literal
1285 quote_literal anyelement text fss lc_quote_literal(lc_text($1, $t1, $env))
1289 quote_nullable text text fi- lc_quote_nullable
1290 quote_nullable anyelement text fs- lc_quote_nullable(lc_text($1, $t1, $env))
1620 ascii text int4 fis lc_ascii
1621 chr int4 text fis lc_chr
2311 md5 text text fis lc_md5
2321 md5 bytea text fis lc_md5
3419 sha224 bytea bytea fis lc_sha224
3420 sha256 bytea bytea fis lc_sha256
3421 sha384 bytea bytea fis lc_sha384
3422 sha512 bytea bytea fis lc_sha512
1946 encode bytea,text text fis lc_encode
1947 decode text,text bytea fis lc_decode
2089 to_hex int4 text fis lc_to_hex($1 & 4294967295)
2090 to_hex int8 text fis lc_to_hex
3696 starts_with text,text bool fis lc_starts_with
4350 normalize text,text='NFC' text fis lc_normalize
4351 is_normalized text,text='NFC' bool fis lc_is_normalized
6198 unistr text text fis lc_unistr
1268 parse_ident text:str,bool:strict=true _text fis lc_parse_ident
1813 convert bytea,name,name bytea fss lc_convert
1714 convert_from bytea,name text fss lc_convert_from
1717 convert_to text,name bytea fss lc_convert_to
721 get_byte bytea,int4 int4 fis lc_get_byte
722 set_byte bytea,int4,int4 bytea fis lc_set_byte
723 get_bit bytea,int8 int4 fis lc_get_bit
724 set_bit bytea,int8,int4 bytea fis lc_set_bit
6163 bit_count bytea int8 fis lc_bit_count
6263 regexp_like text,text bool fis lc_regexp_like
6264 regexp_like text,text,text bool fis lc_regexp_like
3396 regexp_match text,text _text fis lc_regexp_match
3397 regexp_match text,text,text _text fis lc_regexp_match
2763 regexp_matches text,text setof:_text fis lc_regexp_matches
2764 regexp_matches text,text,text setof:_text fis lc_regexp_matches
2284 regexp_replace text,text,text text fis lc_regexp_replace
2285 regexp_replace text,text,text,text text fis lc_regexp_replace
6251 regexp_replace text,text,text,int4,int4,text text fis lc_regexp_replace
6252 regexp_replace text,text,text,int4,int4 text fis lc_regexp_replace
6253 regexp_replace text,text,text,int4 text fis lc_regexp_replace
6254 regexp_count text,text int4 fis lc_regexp_count
6255 regexp_count text,text,int4 int4 fis lc_regexp_count
6256 regexp_count text,text,int4,text int4 fis lc_regexp_count
6257 regexp_instr text,text int4 fis lc_regexp_instr
6258 regexp_instr text,text,int4 int4 fis lc_regexp_instr
6259 regexp_instr text,text,int4,int4 int4 fis lc_regexp_instr
6260 regexp_instr text,text,int4,int4,int4 int4 fis lc_regexp_instr
6261 regexp_instr text,text,int4,int4,int4,text int4 fis lc_regexp_instr
6262 regexp_instr text,text,int4,int4,int4,text,int4 int4 fis lc_regexp_instr
6265 regexp_substr text,text text fis lc_regexp_substr
6266 regexp_substr text,text,int4 text fis lc_regexp_substr
6267 regexp_substr text,text,int4,int4 text fis lc_regexp_substr
6268 regexp_substr text,text,int4,int4,text text fis lc_regexp_substr
6269 regexp_substr text,text,int4,int4,text,int4 text fis lc_regexp_substr
2767 regexp_split_to_array text,text _text fis lc_regexp_split
2768 regexp_split_to_array text,text,text _text fis lc_regexp_split
2765 regexp_split_to_table text,text setof:text fis lc_regexp_split
2766 regexp_split_to_table text,text,text setof:text fis lc_regexp_split
376 string_to_array text,text,text _text fi- lc_string_to_array
394 string_to_array text,text _text fi- lc_string_to_array
6160 string_to_table text,text setof:text fi- lc_string_to_array
6161 string_to_table text,text,text setof:text fi- lc_string_to_array
1258 textcat text,text text fis $1 || $2
`
