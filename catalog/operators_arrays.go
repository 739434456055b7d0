package catalog

// arrayOperators compare arrays of types whose equal values may be stored differently (numeric 1.0 and 1.00): only the
// keys of the stored forms count. They are PostgreSQL's operators of anyarray, so they repeat the OIDs of those.
// The form of a line is described at parseOperators.
const arrayOperators = `
1070 = _numeric _numeric bool = <> lc_array_key($1) = lc_array_key($2)
1070 = _interval _interval bool = <> lc_array_key($1) = lc_array_key($2)
1070 = _timetz _timetz bool = <> lc_array_key($1) = lc_array_key($2)
1070 = _float4 _float4 bool = <> lc_array_key($1) = lc_array_key($2)
1070 = _float8 _float8 bool = <> lc_array_key($1) = lc_array_key($2)
1071 <> _numeric _numeric bool <> = lc_array_key($1) <> lc_array_key($2)
1071 <> _interval _interval bool <> = lc_array_key($1) <> lc_array_key($2)
1071 <> _timetz _timetz bool <> = lc_array_key($1) <> lc_array_key($2)
1071 <> _float4 _float4 bool <> = lc_array_key($1) <> lc_array_key($2)
1071 <> _float8 _float8 bool <> = lc_array_key($1) <> lc_array_key($2)
1072 < _numeric _numeric bool > >= lc_array_key($1) < lc_array_key($2)
1072 < _interval _interval bool > >= lc_array_key($1) < lc_array_key($2)
1072 < _timetz _timetz bool > >= lc_array_key($1) < lc_array_key($2)
1072 < _float4 _float4 bool > >= lc_array_key($1) < lc_array_key($2)
1072 < _float8 _float8 bool > >= lc_array_key($1) < lc_array_key($2)
1073 > _numeric _numeric bool < <= lc_array_key($1) > lc_array_key($2)
1073 > _interval _interval bool < <= lc_array_key($1) > lc_array_key($2)
1073 > _timetz _timetz bool < <= lc_array_key($1) > lc_array_key($2)
1073 > _float4 _float4 bool < <= lc_array_key($1) > lc_array_key($2)
1073 > _float8 _float8 bool < <= lc_array_key($1) > lc_array_key($2)
1074 <= _numeric _numeric bool >= > lc_array_key($1) <= lc_array_key($2)
1074 <= _interval _interval bool >= > lc_array_key($1) <= lc_array_key($2)
1074 <= _timetz _timetz bool >= > lc_array_key($1) <= lc_array_key($2)
1074 <= _float4 _float4 bool >= > lc_array_key($1) <= lc_array_key($2)
1074 <= _float8 _float8 bool >= > lc_array_key($1) <= lc_array_key($2)
1075 >= _numeric _numeric bool <= < lc_array_key($1) >= lc_array_key($2)
1075 >= _interval _interval bool <= < lc_array_key($1) >= lc_array_key($2)
1075 >= _timetz _timetz bool <= < lc_array_key($1) >= lc_array_key($2)
1075 >= _float4 _float4 bool <= < lc_array_key($1) >= lc_array_key($2)
1075 >= _float8 _float8 bool <= < lc_array_key($1) >= lc_array_key($2)
`
