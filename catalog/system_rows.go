package catalog

// systemRows are rows of PostgreSQL 15's own catalogs that do not depend on the schema, as COPY writes them, by table.
// OIDs of functions stand for functions that only PostgreSQL calls.
var systemRows = map[string]string{
	"pg_am": `2	heap	heap_tableam_handler	t
403	btree	bthandler	i
405	hash	hashhandler	i
783	gist	gisthandler	i
2742	gin	ginhandler	i
3580	brin	brinhandler	i
4000	spgist	spghandler	i
`,
	"pg_language": `12	internal	10	f	f	0	0	2246	\N
13	c	10	f	f	0	0	2247	\N
14	sql	10	f	t	0	0	2248	\N
`,
	"pg_tablespace": `1663	pg_default	10	\N	\N
1664	pg_global	10	\N	\N
`,
	"pg_collation": `100	default	11	10	d	t	-1	\N	\N	\N	\N
950	C	11	10	c	t	-1	C	C	\N	\N
951	POSIX	11	10	c	t	-1	POSIX	POSIX	\N	\N
12340	ucs_basic	11	10	c	t	6	C	C	\N	\N
`,
	"pg_opfamily": `397	403	array_ops	11	10
424	403	bool_ops	11	10
426	403	bpchar_ops	11	10
427	405	bpchar_ops	11	10
428	403	bytea_ops	11	10
429	403	char_ops	11	10
431	405	char_ops	11	10
434	403	datetime_ops	11	10
435	405	date_ops	11	10
627	405	array_ops	11	10
1970	403	float_ops	11	10
1971	405	float_ops	11	10
1976	403	integer_ops	11	10
1977	405	integer_ops	11	10
1982	403	interval_ops	11	10
1983	405	interval_ops	11	10
1988	403	numeric_ops	11	10
1989	403	oid_ops	11	10
1990	405	oid_ops	11	10
1991	403	oidvector_ops	11	10
1992	405	oidvector_ops	11	10
1994	403	text_ops	11	10
1995	405	text_ops	11	10
1996	403	time_ops	11	10
1997	405	time_ops	11	10
1998	405	numeric_ops	11	10
1999	405	timestamptz_ops	11	10
2000	403	timetz_ops	11	10
2001	405	timetz_ops	11	10
2040	405	timestamp_ops	11	10
2095	403	text_pattern_ops	11	10
2097	403	bpchar_pattern_ops	11	10
2222	405	bool_ops	11	10
2223	405	bytea_ops	11	10
2225	405	xid_ops	11	10
2226	405	cid_ops	11	10
2229	405	text_pattern_ops	11	10
2231	405	bpchar_pattern_ops	11	10
2235	405	aclitem_ops	11	10
2968	403	uuid_ops	11	10
2969	405	uuid_ops	11	10
3522	403	enum_ops	11	10
3523	405	enum_ops	11	10
4033	403	jsonb_ops	11	10
4034	405	jsonb_ops	11	10
5032	405	xid8_ops	11	10
5067	403	xid8_ops	11	10
`,
	"pg_opclass": `1978	403	int4_ops	11	10	1976	23	t	0
1979	403	int2_ops	11	10	1976	21	t	0
1981	403	oid_ops	11	10	1989	26	t	0
3122	403	date_ops	11	10	434	1082	t	0
3123	403	float8_ops	11	10	1970	701	t	0
3124	403	int8_ops	11	10	1976	20	t	0
3125	403	numeric_ops	11	10	1988	1700	t	0
3126	403	text_ops	11	10	1994	25	t	0
3127	403	timestamptz_ops	11	10	434	1184	t	0
3128	403	timestamp_ops	11	10	434	1114	t	0
4217	403	text_pattern_ops	11	10	2095	25	f	0
4218	403	varchar_pattern_ops	11	10	2095	25	f	0
4219	403	bpchar_pattern_ops	11	10	2097	1042	f	0
10000	403	array_ops	11	10	397	2277	t	0
10001	405	array_ops	11	10	627	2277	t	0
10003	403	bool_ops	11	10	424	16	t	0
10004	403	bpchar_ops	11	10	426	1042	t	0
10005	405	bpchar_ops	11	10	427	1042	t	0
10006	403	bytea_ops	11	10	428	17	t	0
10007	403	char_ops	11	10	429	18	t	0
10008	405	char_ops	11	10	431	18	t	0
10011	405	date_ops	11	10	435	1082	t	0
10012	403	float4_ops	11	10	1970	700	t	0
10013	405	float4_ops	11	10	1971	700	t	0
10014	405	float8_ops	11	10	1971	701	t	0
10019	405	int2_ops	11	10	1977	21	t	0
10020	405	int4_ops	11	10	1977	23	t	0
10021	405	int8_ops	11	10	1977	20	t	0
10022	403	interval_ops	11	10	1982	1186	t	0
10023	405	interval_ops	11	10	1983	1186	t	0
10028	403	name_ops	11	10	1994	19	t	2275
10029	405	name_ops	11	10	1995	19	t	0
10030	405	numeric_ops	11	10	1998	1700	t	0
10031	405	oid_ops	11	10	1990	26	t	0
10032	403	oidvector_ops	11	10	1991	30	t	0
10033	405	oidvector_ops	11	10	1992	30	t	0
10037	405	text_ops	11	10	1995	25	t	0
10038	403	time_ops	11	10	1996	1083	t	0
10039	405	time_ops	11	10	1997	1083	t	0
10040	405	timestamptz_ops	11	10	1999	1184	t	0
10041	403	timetz_ops	11	10	2000	1266	t	0
10042	405	timetz_ops	11	10	2001	1266	t	0
10044	403	varchar_ops	11	10	1994	25	f	0
10045	405	varchar_ops	11	10	1995	25	f	0
10046	405	timestamp_ops	11	10	2040	1114	t	0
10048	405	bool_ops	11	10	2222	16	t	0
10049	405	bytea_ops	11	10	2223	17	t	0
10051	405	xid_ops	11	10	2225	28	t	0
10052	405	xid8_ops	11	10	5032	5069	t	0
10053	403	xid8_ops	11	10	5067	5069	t	0
10054	405	cid_ops	11	10	2226	29	t	0
10056	405	text_pattern_ops	11	10	2229	25	f	0
10057	405	varchar_pattern_ops	11	10	2229	25	f	0
10058	405	bpchar_pattern_ops	11	10	2231	1042	f	0
10059	405	aclitem_ops	11	10	2235	1033	t	0
10065	403	uuid_ops	11	10	2968	2950	t	0
10066	405	uuid_ops	11	10	2969	2950	t	0
10069	403	enum_ops	11	10	3522	3500	t	0
10070	405	enum_ops	11	10	3523	3500	t	0
10088	403	jsonb_ops	11	10	4033	3802	t	0
10089	405	jsonb_ops	11	10	4034	3802	t	0
`,
	"pg_range": `3904	23	4451	0	1978	int4range_canonical	int4range_subdiff
3906	1700	4532	0	3125	-	numrange_subdiff
3908	1114	4533	0	3128	-	tsrange_subdiff
3910	1184	4534	0	3127	-	tstzrange_subdiff
3912	1082	4535	0	3122	daterange_canonical	daterange_subdiff
3926	20	4536	0	3124	int8range_canonical	int8range_subdiff
`,
}

// typeFunctions are the input, output and modifier functions of the types: OID, name, result type, argument types,
// strict, volatility. No statement calls them; pg_type refers to them and drivers compare.
const typeFunctions = `
31	byteaout	2275	17	t	i
33	charout	2275	18	t	i
34	namein	19	2275	t	i
35	nameout	2275	19	t	i
38	int2in	21	2275	t	i
39	int2out	2275	21	t	i
40	int2vectorin	22	2275	t	i
41	int2vectorout	2275	22	t	i
42	int4in	23	2275	t	i
43	int4out	2275	23	t	i
44	regprocin	24	2275	t	s
45	regprocout	2275	24	t	s
46	textin	25	2275	t	i
47	textout	2275	25	t	i
48	tidin	27	2275	t	i
49	tidout	2275	27	t	i
50	xidin	28	2275	t	i
51	xidout	2275	28	t	i
52	cidin	29	2275	t	i
53	cidout	2275	29	t	i
54	oidvectorin	30	2275	t	i
55	oidvectorout	2275	30	t	i
86	pg_ddl_command_in	32	2275	t	i
87	pg_ddl_command_out	2275	32	t	i
88	pg_ddl_command_recv	32	2281	t	i
90	pg_ddl_command_send	17	32	t	i
109	unknownin	705	2275	t	i
110	unknownout	2275	705	t	i
117	point_in	600	2275	t	i
118	point_out	2275	600	t	i
119	lseg_in	601	2275	t	i
120	lseg_out	2275	601	t	i
121	path_in	602	2275	t	i
122	path_out	2275	602	t	i
123	box_in	603	2275	t	i
124	box_out	2275	603	t	i
195	pg_node_tree_in	194	2275	t	i
196	pg_node_tree_out	2275	194	t	i
197	pg_node_tree_recv	194	2281	t	s
198	pg_node_tree_send	17	194	t	s
200	float4in	700	2275	t	i
201	float4out	2275	700	t	i
214	float8in	701	2275	t	i
215	float8out	2275	701	t	i
267	table_am_handler_in	269	2275	f	i
268	table_am_handler_out	2275	269	t	i
321	json_in	114	2275	t	i
322	json_out	2275	114	t	i
323	json_recv	114	2281	t	i
324	json_send	17	114	t	i
326	index_am_handler_in	325	2275	f	i
327	index_am_handler_out	2275	325	t	i
347	poly_in	604	2275	t	i
348	poly_out	2275	604	t	i
436	macaddr_in	829	2275	t	i
437	macaddr_out	2275	829	t	i
460	int8in	20	2275	t	i
461	int8out	2275	20	t	i
750	array_in	2277	2275 26 23	t	s
751	array_out	2275	2277	t	s
886	cash_in	790	2275	t	s
887	cash_out	2275	790	t	s
910	inet_in	869	2275	t	i
911	inet_out	2275	869	t	i
1031	aclitemin	1033	2275	t	s
1032	aclitemout	2275	1033	t	s
1044	bpcharin	1042	2275 26 23	t	i
1045	bpcharout	2275	1042	t	i
1046	varcharin	1043	2275 26 23	t	i
1047	varcharout	2275	1043	t	i
1084	date_in	1082	2275	t	s
1085	date_out	2275	1082	t	s
1143	time_in	1083	2275 26 23	t	s
1144	time_out	2275	1083	t	i
1150	timestamptz_in	1184	2275 26 23	t	s
1151	timestamptz_out	2275	1184	t	s
1160	interval_in	1186	2275 26 23	t	s
1161	interval_out	2275	1186	t	s
1242	boolin	16	2275	t	i
1243	boolout	2275	16	t	i
1244	byteain	17	2275	t	i
1245	charin	18	2275	t	i
1267	cidr_in	650	2275	t	i
1312	timestamp_in	1114	2275 26 23	t	s
1313	timestamp_out	2275	1114	t	s
1350	timetz_in	1266	2275 26 23	t	s
1351	timetz_out	2275	1266	t	i
1427	cidr_out	2275	650	t	i
1450	circle_in	718	2275	t	i
1451	circle_out	2275	718	t	i
1490	line_in	628	2275	t	i
1491	line_out	2275	628	t	i
1564	bit_in	1560	2275 26 23	t	i
1565	bit_out	2275	1560	t	i
1579	varbit_in	1562	2275 26 23	t	i
1580	varbit_out	2275	1562	t	i
1701	numeric_in	1700	2275 26 23	t	i
1702	numeric_out	2275	1700	t	i
1798	oidin	26	2275	t	i
1799	oidout	2275	26	t	i
2212	regprocedurein	2202	2275	t	s
2213	regprocedureout	2275	2202	t	s
2214	regoperin	2203	2275	t	s
2215	regoperout	2275	2203	t	s
2216	regoperatorin	2204	2275	t	s
2217	regoperatorout	2275	2204	t	s
2218	regclassin	2205	2275	t	s
2219	regclassout	2275	2205	t	s
2220	regtypein	2206	2275	t	s
2221	regtypeout	2275	2206	t	s
2290	record_in	2249	2275 26 23	t	s
2291	record_out	2275	2249	t	s
2292	cstring_in	2275	2275	t	i
2293	cstring_out	2275	2275	t	i
2294	any_in	2276	2275	t	i
2295	any_out	2275	2276	t	i
2296	anyarray_in	2277	2275	t	i
2297	anyarray_out	2275	2277	t	s
2298	void_in	2278	2275	t	i
2299	void_out	2275	2278	t	i
2300	trigger_in	2279	2275	f	i
2301	trigger_out	2275	2279	t	i
2302	language_handler_in	2280	2275	f	i
2303	language_handler_out	2275	2280	t	i
2304	internal_in	2281	2275	f	i
2305	internal_out	2275	2281	t	i
2312	anyelement_in	2283	2275	t	i
2313	anyelement_out	2275	2283	t	i
2400	array_recv	2277	2281 26 23	t	s
2401	array_send	17	2277	t	s
2402	record_recv	2249	2281 26 23	t	s
2403	record_send	17	2249	t	s
2404	int2recv	21	2281	t	i
2405	int2send	17	21	t	i
2406	int4recv	23	2281	t	i
2407	int4send	17	23	t	i
2408	int8recv	20	2281	t	i
2409	int8send	17	20	t	i
2410	int2vectorrecv	22	2281	t	i
2411	int2vectorsend	17	22	t	i
2412	bytearecv	17	2281	t	i
2413	byteasend	17	17	t	i
2414	textrecv	25	2281	t	s
2415	textsend	17	25	t	s
2416	unknownrecv	705	2281	t	i
2417	unknownsend	17	705	t	i
2418	oidrecv	26	2281	t	i
2419	oidsend	17	26	t	i
2420	oidvectorrecv	30	2281	t	i
2421	oidvectorsend	17	30	t	i
2422	namerecv	19	2281	t	s
2423	namesend	17	19	t	s
2424	float4recv	700	2281	t	i
2425	float4send	17	700	t	i
2426	float8recv	701	2281	t	i
2427	float8send	17	701	t	i
2428	point_recv	600	2281	t	i
2429	point_send	17	600	t	i
2430	bpcharrecv	1042	2281 26 23	t	s
2431	bpcharsend	17	1042	t	s
2432	varcharrecv	1043	2281 26 23	t	s
2433	varcharsend	17	1043	t	s
2434	charrecv	18	2281	t	i
2435	charsend	17	18	t	i
2436	boolrecv	16	2281	t	i
2437	boolsend	17	16	t	i
2438	tidrecv	27	2281	t	i
2439	tidsend	17	27	t	i
2440	xidrecv	28	2281	t	i
2441	xidsend	17	28	t	i
2442	cidrecv	29	2281	t	i
2443	cidsend	17	29	t	i
2444	regprocrecv	24	2281	t	i
2445	regprocsend	17	24	t	i
2446	regprocedurerecv	2202	2281	t	i
2447	regproceduresend	17	2202	t	i
2448	regoperrecv	2203	2281	t	i
2449	regopersend	17	2203	t	i
2450	regoperatorrecv	2204	2281	t	i
2451	regoperatorsend	17	2204	t	i
2452	regclassrecv	2205	2281	t	i
2453	regclasssend	17	2205	t	i
2454	regtyperecv	2206	2281	t	i
2455	regtypesend	17	2206	t	i
2456	bit_recv	1560	2281 26 23	t	i
2457	bit_send	17	1560	t	i
2458	varbit_recv	1562	2281 26 23	t	i
2459	varbit_send	17	1562	t	i
2460	numeric_recv	1700	2281 26 23	t	i
2461	numeric_send	17	1700	t	i
2468	date_recv	1082	2281	t	i
2469	date_send	17	1082	t	i
2470	time_recv	1083	2281 26 23	t	i
2471	time_send	17	1083	t	i
2472	timetz_recv	1266	2281 26 23	t	i
2473	timetz_send	17	1266	t	i
2474	timestamp_recv	1114	2281 26 23	t	i
2475	timestamp_send	17	1114	t	i
2476	timestamptz_recv	1184	2281 26 23	t	i
2477	timestamptz_send	17	1184	t	i
2478	interval_recv	1186	2281 26 23	t	i
2479	interval_send	17	1186	t	i
2480	lseg_recv	601	2281	t	i
2481	lseg_send	17	601	t	i
2482	path_recv	602	2281	t	i
2483	path_send	17	602	t	i
2484	box_recv	603	2281	t	i
2485	box_send	17	603	t	i
2486	poly_recv	604	2281	t	i
2487	poly_send	17	604	t	i
2488	line_recv	628	2281	t	i
2489	line_send	17	628	t	i
2490	circle_recv	718	2281	t	i
2491	circle_send	17	718	t	i
2492	cash_recv	790	2281	t	i
2493	cash_send	17	790	t	i
2494	macaddr_recv	829	2281	t	i
2495	macaddr_send	17	829	t	i
2496	inet_recv	869	2281	t	i
2497	inet_send	17	869	t	i
2498	cidr_recv	650	2281	t	i
2499	cidr_send	17	650	t	i
2500	cstring_recv	2275	2281	t	s
2501	cstring_send	17	2275	t	s
2502	anyarray_recv	2277	2281	t	s
2503	anyarray_send	17	2277	t	s
2777	anynonarray_in	2776	2275	t	i
2778	anynonarray_out	2275	2776	t	i
2893	xml_in	142	2275	t	s
2894	xml_out	2275	142	t	i
2898	xml_recv	142	2281	t	s
2899	xml_send	17	142	t	s
2902	varbittypmodin	23	1263	t	i
2903	intervaltypmodin	23	1263	t	i
2904	intervaltypmodout	2275	23	t	i
2905	timestamptypmodin	23	1263	t	i
2906	timestamptypmodout	2275	23	t	i
2907	timestamptztypmodin	23	1263	t	i
2908	timestamptztypmodout	2275	23	t	i
2909	timetypmodin	23	1263	t	i
2910	timetypmodout	2275	23	t	i
2911	timetztypmodin	23	1263	t	i
2912	timetztypmodout	2275	23	t	i
2913	bpchartypmodin	23	1263	t	i
2914	bpchartypmodout	2275	23	t	i
2915	varchartypmodin	23	1263	t	i
2916	varchartypmodout	2275	23	t	i
2917	numerictypmodin	23	1263	t	i
2918	numerictypmodout	2275	23	t	i
2919	bittypmodin	23	1263	t	i
2920	bittypmodout	2275	23	t	i
2921	varbittypmodout	2275	23	t	i
2939	txid_snapshot_in	2970	2275	t	i
2940	txid_snapshot_out	2275	2970	t	i
2941	txid_snapshot_recv	2970	2281	t	i
2942	txid_snapshot_send	17	2970	t	i
2952	uuid_in	2950	2275	t	i
2953	uuid_out	2275	2950	t	i
2961	uuid_recv	2950	2281	t	i
2962	uuid_send	17	2950	t	i
3116	fdw_handler_in	3115	2275	f	i
3117	fdw_handler_out	2275	3115	t	i
3120	void_recv	2278	2281	t	i
3121	void_send	17	2278	t	i
3229	pg_lsn_in	3220	2275	t	i
3230	pg_lsn_out	2275	3220	t	i
3238	pg_lsn_recv	3220	2281	t	i
3239	pg_lsn_send	17	3220	t	i
3311	tsm_handler_in	3310	2275	f	i
3312	tsm_handler_out	2275	3310	t	i
3355	pg_ndistinct_in	3361	2275	t	i
3356	pg_ndistinct_out	2275	3361	t	i
3357	pg_ndistinct_recv	3361	2281	t	s
3358	pg_ndistinct_send	17	3361	t	s
3404	pg_dependencies_in	3402	2275	t	i
3405	pg_dependencies_out	2275	3402	t	i
3406	pg_dependencies_recv	3402	2281	t	s
3407	pg_dependencies_send	17	3402	t	s
3446	macaddr8_recv	774	2281	t	i
3447	macaddr8_send	17	774	t	i
3504	anyenum_in	3500	2275	t	i
3505	anyenum_out	2275	3500	t	s
3594	event_trigger_in	3838	2275	f	i
3595	event_trigger_out	2275	3838	t	i
3610	tsvectorin	3614	2275	t	i
3611	tsvectorout	2275	3614	t	i
3612	tsqueryin	3615	2275	t	i
3613	tsqueryout	2275	3615	t	i
3638	tsvectorsend	17	3614	t	i
3639	tsvectorrecv	3614	2281	t	i
3640	tsquerysend	17	3615	t	i
3641	tsqueryrecv	3615	2281	t	i
3646	gtsvectorin	3642	2275	t	i
3647	gtsvectorout	2275	3642	t	i
3736	regconfigin	3734	2275	t	s
3737	regconfigout	2275	3734	t	s
3738	regconfigrecv	3734	2281	t	i
3739	regconfigsend	17	3734	t	i
3771	regdictionaryin	3769	2275	t	s
3772	regdictionaryout	2275	3769	t	s
3773	regdictionaryrecv	3769	2281	t	i
3774	regdictionarysend	17	3769	t	i
3803	jsonb_send	17	3802	t	i
3804	jsonb_out	2275	3802	t	i
3805	jsonb_recv	3802	2281	t	i
3806	jsonb_in	3802	2275	t	i
3832	anyrange_in	3831	2275 26 23	t	s
3833	anyrange_out	2275	3831	t	s
3834	range_in	3831	2275 26 23	t	s
3835	range_out	2275	3831	t	s
3836	range_recv	3831	2281 26 23	t	s
3837	range_send	17	3831	t	s
4001	jsonpath_in	4072	2275	t	i
4002	jsonpath_recv	4072	2281	t	i
4003	jsonpath_out	2275	4072	t	i
4004	jsonpath_send	17	4072	t	i
4084	regnamespacein	4089	2275	t	s
4085	regnamespaceout	2275	4089	t	s
4087	regnamespacerecv	4089	2281	t	i
4088	regnamespacesend	17	4089	t	i
4092	regroleout	2275	4096	t	s
4094	regrolerecv	4096	2281	t	i
4095	regrolesend	17	4096	t	i
4098	regrolein	4096	2275	t	s
4110	macaddr8_in	774	2275	t	i
4111	macaddr8_out	2275	774	t	i
4193	regcollationin	4191	2275	t	s
4194	regcollationout	2275	4191	t	s
4196	regcollationrecv	4191	2281	t	i
4197	regcollationsend	17	4191	t	i
4226	anycompatiblemultirange_in	4538	2275 26 23	t	s
4227	anycompatiblemultirange_out	2275	4538	t	s
4229	anymultirange_in	4537	2275 26 23	t	s
4230	anymultirange_out	2275	4537	t	s
4231	multirange_in	4537	2275 26 23	t	s
4232	multirange_out	2275	4537	t	s
4233	multirange_recv	4537	2281 26 23	t	s
4234	multirange_send	17	4537	t	s
4596	brin_bloom_summary_in	4600	2275	t	i
4597	brin_bloom_summary_out	2275	4600	t	i
4598	brin_bloom_summary_recv	4600	2281	t	s
4599	brin_bloom_summary_send	17	4600	t	s
4638	brin_minmax_multi_summary_in	4601	2275	t	i
4639	brin_minmax_multi_summary_out	2275	4601	t	i
4640	brin_minmax_multi_summary_recv	4601	2281	t	s
4641	brin_minmax_multi_summary_send	17	4601	t	s
5018	pg_mcv_list_in	5017	2275	t	i
5019	pg_mcv_list_out	2275	5017	t	i
5020	pg_mcv_list_recv	5017	2281	t	s
5021	pg_mcv_list_send	17	5017	t	s
5055	pg_snapshot_in	5038	2275	t	i
5056	pg_snapshot_out	2275	5038	t	i
5057	pg_snapshot_recv	5038	2281	t	i
5058	pg_snapshot_send	17	5038	t	i
5070	xid8in	5069	2275	t	i
5081	xid8out	2275	5069	t	i
5082	xid8recv	5069	2281	t	i
5083	xid8send	17	5069	t	i
5086	anycompatible_in	5077	2275	t	i
5087	anycompatible_out	2275	5077	t	i
5088	anycompatiblearray_in	5078	2275	t	i
5089	anycompatiblearray_out	2275	5078	t	s
5090	anycompatiblearray_recv	5078	2281	t	s
5091	anycompatiblearray_send	17	5078	t	s
5092	anycompatiblenonarray_in	5079	2275	t	i
5093	anycompatiblenonarray_out	2275	5079	t	i
5094	anycompatiblerange_in	5080	2275 26 23	t	s
5095	anycompatiblerange_out	2275	5080	t	s
`
