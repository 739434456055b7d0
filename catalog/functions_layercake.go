package catalog

// functionTexts are the tables of pg_catalog's functions.
var functionTexts = []string{
	aggregateFunctions, mathFunctions, castFunctions, textFunctions, formatFunctions, datetimeFunctions, jsonFunctions,
	arrayFunctions, sessionFunctions,
}

// layercakeFunctions are the functions of schema layercake. Their OIDs lie in the range that PostgreSQL keeps free
// (8000 to 9999).
const layercakeFunctions = `
9101 unique_id - int8 fv- lc_unique_id()
9102 session_token - text fv- lc_session_token()
9103 wait_for text void fvs lc_wait_for
9104 transaction_status text text fvs lc_transaction_status
9105 verify - setof:record{node:text,relation:text,rows:int8,digest:text,ok:bool,detail:text} fv- lc_verify()
9106 repair regclass int8 fvs lc_repair
9107 node_name - text fs- lc_node_name()
9108 remove_node text text fvs lc_remove_node
9109 leave - text fv- lc_leave()
`
