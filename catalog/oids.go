package catalog

// The OIDs of PostgreSQL's built-in types, named by the types' own names.
const (
	BoolOID                     uint32 = 16
	ByteaOID                    uint32 = 17
	CharOID                     uint32 = 18
	NameOID                     uint32 = 19
	Int8OID                     uint32 = 20
	Int2OID                     uint32 = 21
	Int2vectorOID               uint32 = 22
	Int4OID                     uint32 = 23
	RegprocOID                  uint32 = 24
	TextOID                     uint32 = 25
	OidOID                      uint32 = 26
	TidOID                      uint32 = 27
	XidOID                      uint32 = 28
	CidOID                      uint32 = 29
	OidvectorOID                uint32 = 30
	PgDdlCommandOID             uint32 = 32
	JSONOID                     uint32 = 114
	XMLOID                      uint32 = 142
	PgNodeTreeOID               uint32 = 194
	TableAmHandlerOID           uint32 = 269
	IndexAmHandlerOID           uint32 = 325
	PointOID                    uint32 = 600
	LsegOID                     uint32 = 601
	PathOID                     uint32 = 602
	BoxOID                      uint32 = 603
	PolygonOID                  uint32 = 604
	LineOID                     uint32 = 628
	CidrOID                     uint32 = 650
	Float4OID                   uint32 = 700
	Float8OID                   uint32 = 701
	UnknownOID                  uint32 = 705
	CircleOID                   uint32 = 718
	Macaddr8OID                 uint32 = 774
	MoneyOID                    uint32 = 790
	MacaddrOID                  uint32 = 829
	InetOID                     uint32 = 869
	AclitemOID                  uint32 = 1033
	BpcharOID                   uint32 = 1042
	VarcharOID                  uint32 = 1043
	DateOID                     uint32 = 1082
	TimeOID                     uint32 = 1083
	TimestampOID                uint32 = 1114
	TimestamptzOID              uint32 = 1184
	IntervalOID                 uint32 = 1186
	TimetzOID                   uint32 = 1266
	BitOID                      uint32 = 1560
	VarbitOID                   uint32 = 1562
	NumericOID                  uint32 = 1700
	RefcursorOID                uint32 = 1790
	RegprocedureOID             uint32 = 2202
	RegoperOID                  uint32 = 2203
	RegoperatorOID              uint32 = 2204
	RegclassOID                 uint32 = 2205
	RegtypeOID                  uint32 = 2206
	RecordOID                   uint32 = 2249
	CstringOID                  uint32 = 2275
	AnyOID                      uint32 = 2276
	AnyarrayOID                 uint32 = 2277
	VoidOID                     uint32 = 2278
	TriggerOID                  uint32 = 2279
	LanguageHandlerOID          uint32 = 2280
	InternalOID                 uint32 = 2281
	AnyelementOID               uint32 = 2283
	AnynonarrayOID              uint32 = 2776
	UUIDOID                     uint32 = 2950
	TxidSnapshotOID             uint32 = 2970
	FdwHandlerOID               uint32 = 3115
	PgLsnOID                    uint32 = 3220
	TsmHandlerOID               uint32 = 3310
	PgNdistinctOID              uint32 = 3361
	PgDependenciesOID           uint32 = 3402
	AnyenumOID                  uint32 = 3500
	TsvectorOID                 uint32 = 3614
	TsqueryOID                  uint32 = 3615
	GtsvectorOID                uint32 = 3642
	RegconfigOID                uint32 = 3734
	RegdictionaryOID            uint32 = 3769
	JSONBOID                    uint32 = 3802
	AnyrangeOID                 uint32 = 3831
	EventTriggerOID             uint32 = 3838
	Int4rangeOID                uint32 = 3904
	NumrangeOID                 uint32 = 3906
	TsrangeOID                  uint32 = 3908
	TstzrangeOID                uint32 = 3910
	DaterangeOID                uint32 = 3912
	Int8rangeOID                uint32 = 3926
	JsonpathOID                 uint32 = 4072
	RegnamespaceOID             uint32 = 4089
	RegroleOID                  uint32 = 4096
	RegcollationOID             uint32 = 4191
	Int4multirangeOID           uint32 = 4451
	NummultirangeOID            uint32 = 4532
	TsmultirangeOID             uint32 = 4533
	TstzmultirangeOID           uint32 = 4534
	DatemultirangeOID           uint32 = 4535
	Int8multirangeOID           uint32 = 4536
	AnymultirangeOID            uint32 = 4537
	AnycompatiblemultirangeOID  uint32 = 4538
	PgBrinBloomSummaryOID       uint32 = 4600
	PgBrinMinmaxMultiSummaryOID uint32 = 4601
	PgMcvListOID                uint32 = 5017
	PgSnapshotOID               uint32 = 5038
	Xid8OID                     uint32 = 5069
	AnycompatibleOID            uint32 = 5077
	AnycompatiblearrayOID       uint32 = 5078
	AnycompatiblenonarrayOID    uint32 = 5079
	AnycompatiblerangeOID       uint32 = 5080
)

// The OIDs of the array types.
const (
	XMLArrayOID            uint32 = 143
	JSONArrayOID           uint32 = 199
	Xid8ArrayOID           uint32 = 271
	LineArrayOID           uint32 = 629
	CidrArrayOID           uint32 = 651
	CircleArrayOID         uint32 = 719
	Macaddr8ArrayOID       uint32 = 775
	MoneyArrayOID          uint32 = 791
	BoolArrayOID           uint32 = 1000
	ByteaArrayOID          uint32 = 1001
	CharArrayOID           uint32 = 1002
	NameArrayOID           uint32 = 1003
	Int2ArrayOID           uint32 = 1005
	Int2vectorArrayOID     uint32 = 1006
	Int4ArrayOID           uint32 = 1007
	RegprocArrayOID        uint32 = 1008
	TextArrayOID           uint32 = 1009
	TidArrayOID            uint32 = 1010
	XidArrayOID            uint32 = 1011
	CidArrayOID            uint32 = 1012
	OidvectorArrayOID      uint32 = 1013
	BpcharArrayOID         uint32 = 1014
	VarcharArrayOID        uint32 = 1015
	Int8ArrayOID           uint32 = 1016
	PointArrayOID          uint32 = 1017
	LsegArrayOID           uint32 = 1018
	PathArrayOID           uint32 = 1019
	BoxArrayOID            uint32 = 1020
	Float4ArrayOID         uint32 = 1021
	Float8ArrayOID         uint32 = 1022
	PolygonArrayOID        uint32 = 1027
	OidArrayOID            uint32 = 1028
	AclitemArrayOID        uint32 = 1034
	MacaddrArrayOID        uint32 = 1040
	InetArrayOID           uint32 = 1041
	TimestampArrayOID      uint32 = 1115
	DateArrayOID           uint32 = 1182
	TimeArrayOID           uint32 = 1183
	TimestamptzArrayOID    uint32 = 1185
	IntervalArrayOID       uint32 = 1187
	NumericArrayOID        uint32 = 1231
	CstringArrayOID        uint32 = 1263
	TimetzArrayOID         uint32 = 1270
	BitArrayOID            uint32 = 1561
	VarbitArrayOID         uint32 = 1563
	RefcursorArrayOID      uint32 = 2201
	RegprocedureArrayOID   uint32 = 2207
	RegoperArrayOID        uint32 = 2208
	RegoperatorArrayOID    uint32 = 2209
	RegclassArrayOID       uint32 = 2210
	RegtypeArrayOID        uint32 = 2211
	RecordArrayOID         uint32 = 2287
	TxidSnapshotArrayOID   uint32 = 2949
	UUIDArrayOID           uint32 = 2951
	PgLsnArrayOID          uint32 = 3221
	TsvectorArrayOID       uint32 = 3643
	GtsvectorArrayOID      uint32 = 3644
	TsqueryArrayOID        uint32 = 3645
	RegconfigArrayOID      uint32 = 3735
	RegdictionaryArrayOID  uint32 = 3770
	JSONBArrayOID          uint32 = 3807
	Int4rangeArrayOID      uint32 = 3905
	NumrangeArrayOID       uint32 = 3907
	TsrangeArrayOID        uint32 = 3909
	TstzrangeArrayOID      uint32 = 3911
	DaterangeArrayOID      uint32 = 3913
	Int8rangeArrayOID      uint32 = 3927
	JsonpathArrayOID       uint32 = 4073
	RegnamespaceArrayOID   uint32 = 4090
	RegroleArrayOID        uint32 = 4097
	RegcollationArrayOID   uint32 = 4192
	PgSnapshotArrayOID     uint32 = 5039
	Int4multirangeArrayOID uint32 = 6150
	NummultirangeArrayOID  uint32 = 6151
	TsmultirangeArrayOID   uint32 = 6152
	TstzmultirangeArrayOID uint32 = 6153
	DatemultirangeArrayOID uint32 = 6155
	Int8multirangeArrayOID uint32 = 6157
)

// The OIDs of the built-in collations.
const (
	DefaultCollationOID uint32 = 100
	CCollationOID       uint32 = 950
	POSIXCollationOID   uint32 = 951
)

// The OIDs of fixed namespaces.
const (
	PgCatalogOID  uint32 = 11
	PgToastOID    uint32 = 99
	PublicOID     uint32 = 2200
	InfoSchemaOID uint32 = 13271
	LayercakeOID  uint32 = 13999
)

// The OIDs of the system catalogs that other catalogs refer to by class.
const (
	PgTypeRelOID       uint32 = 1247
	PgAttributeRelOID  uint32 = 1249
	PgProcRelOID       uint32 = 1255
	PgClassRelOID      uint32 = 1259
	PgAuthidRelOID     uint32 = 1260
	PgDatabaseRelOID   uint32 = 1262
	PgConstraintRelOID uint32 = 2606
	PgAttrdefRelOID    uint32 = 2604
	PgNamespaceRelOID  uint32 = 2615
	PgOperatorRelOID   uint32 = 2617
)

// FirstNormalOID is the first OID given to objects that a user makes.
const FirstNormalOID uint32 = 16384
