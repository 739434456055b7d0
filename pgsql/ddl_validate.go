package pgsql

import (
	"fmt"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
)

// Existing rows are held against new constraints by queries that the plan carries: they are compiled against the schema
// as it is after the changes, from PostgreSQL text over the tables' then names.

// validate adds a query whose first row means the error.
func (x *command) validate(sql func(s *catalog.Schema) string, fail func(row []catalog.Value) *pgerror.Error) {
	env := *x.env
	x.plan.Validate = append(x.plan.Validate, Validation{
		Compile: func(s *catalog.Schema) (q *Query, err error) {
			text := sql(s)
			if text == "" {
				text = "SELECT 1 WHERE false" // what was to be checked is gone
			}
			list, err := Parse(text)
			if err != nil {
				return nil, err
			}
			e := env
			e.Schema, e.SearchPath = s, storedPath
			p, err := Compile(list[0], &e, nil)
			if err != nil {
				return nil, err
			}
			return p.(*Query), nil
		},
		Error: fail,
	})
}

// tableIn finds a table in another schema version.
func tableIn(s *catalog.Schema, id catalog.ID) *catalog.Table {
	for _, t := range s.Relations {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func qualified(t *catalog.Table) string { return catalog.QuoteQualified(t.Schema, t.Name) }

// validateNotNull checks that no row has NULL in the column.
func (x *command) validateNotNull(t *catalog.Table, col *catalog.Column) {
	id, cid, table, name, schema := t.ID, col.ID, t.Name, col.Name, t.Schema
	x.validate(func(s *catalog.Schema) string {
		t := tableIn(s, id)
		if t == nil || columnByID(t, cid) == nil {
			return ""
		}
		return fmt.Sprintf("SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", qualified(t), catalog.QuoteIdent(columnByID(t, cid).Name))
	}, func([]catalog.Value) *pgerror.Error {
		return pgerror.New(pgerror.NotNullViolation, "column \"%s\" of relation \"%s\" contains null values", name, table).
			WithTable(schema, table).WithColumn(name)
	})
}

// validateCheck checks that every row passes.
func (x *command) validateCheck(t *catalog.Table, c *catalog.Constraint) {
	id, table, name, schema, expr := t.ID, t.Name, c.Name, t.Schema, c.Expr
	x.validate(func(s *catalog.Schema) string {
		t := tableIn(s, id)
		if t == nil {
			return ""
		}
		return fmt.Sprintf("SELECT 1 FROM %s WHERE NOT (%s) LIMIT 1", qualified(t), expr)
	}, func([]catalog.Value) *pgerror.Error {
		return pgerror.New(pgerror.CheckViolation, "check constraint \"%s\" of relation \"%s\" is violated by some row", name, table).
			WithTable(schema, table).WithConstraint(name)
	})
}

// validateUnique finds the key that two rows have.
func (x *command) validateUnique(t *catalog.Table, idx *catalog.Index) {
	id, table, schema, name := t.ID, t.Name, t.Schema, idx.Name
	var shown string
	cp := *idx
	x.validate(func(s *catalog.Schema) string {
		t := tableIn(s, id)
		if t == nil {
			return ""
		}
		var keys, names, texts, conds []string
		for _, i := range []*catalog.Index{&cp} {
			for _, k := range i.Keys {
				term := k.Expr
				if k.Expr == "" && columnByID(t, k.Column) == nil {
					return "" // a column that is new has no equal values to find
				}
				if col := columnByID(t, k.Column); col != nil {
					term = catalog.QuoteIdent(col.Name)
				}
				keys, names = append(keys, term), append(names, catalog.KeyText(t, &k, true))
				texts = append(texts, shownValue(term))
				if !i.NullsNotDistinct {
					conds = append(conds, "("+term+") IS NOT NULL")
				}
			}
			if i.Where != "" {
				conds = append(conds, "("+i.Where+")")
			}
		}
		if len(keys) == 0 {
			return ""
		}
		shown = strings.Join(names, ", ")
		where := ""
		if len(conds) > 0 {
			where = " WHERE " + strings.Join(conds, " AND ")
		}
		groups := strings.Join(keys, ", ")
		return fmt.Sprintf("SELECT %s FROM %s%s GROUP BY %s HAVING count(*) > 1 LIMIT 1", strings.Join(texts, ", "), qualified(t), where, groups)
	}, func(row []catalog.Value) *pgerror.Error {
		vals := make([]string, len(row))
		for i, v := range row {
			vals[i] = "null"
			if !v.IsNull() {
				vals[i] = string(v.Bytes)
			}
		}
		return pgerror.New(pgerror.UniqueViolation, "could not create unique index \"%s\"", name).
			WithDetail("Key (%s)=(%s) is duplicated.", shown, strings.Join(vals, ", ")).
			WithTable(schema, table).WithConstraint(name)
	})
	x.plan.Validate[len(x.plan.Validate)-1].Why = true
}

// shownValue is an expression's text as its type's output function has it: t where a cast to text says true.
func shownValue(e string) string {
	return "CASE WHEN (" + e + ") IS NOT NULL THEN pg_catalog.format('%s', " + e + ") END"
}

// validateForeignKey checks that every row has its parent.
func (x *command) validateForeignKey(t *catalog.Table, c *catalog.Constraint) {
	id, cid, table, name, schema := t.ID, c.ID, t.Name, c.Name, t.Schema
	var shown, parent string
	x.validate(func(s *catalog.Schema) string {
		t := tableIn(s, id)
		if t == nil {
			return ""
		}
		var con *catalog.Constraint
		for _, k := range t.Constraints {
			if k.ID == cid {
				con = k
			}
		}
		if con == nil {
			return ""
		}
		ref := tableIn(s, con.RefTable)
		if ref == nil {
			return ""
		}
		parent = ref.Name
		var texts, nulls, joins, names []string
		for i := range con.Columns {
			a, b := columnByID(t, con.Columns[i]), columnByID(ref, con.RefColumns[i])
			if a == nil || b == nil {
				return ""
			}
			q := "fk." + catalog.QuoteIdent(a.Name)
			names = append(names, a.Name)
			texts = append(texts, shownValue(q))
			nulls = append(nulls, q+" IS NOT NULL")
			joins = append(joins, "pk."+catalog.QuoteIdent(b.Name)+" = "+q)
		}
		shown = strings.Join(names, ", ")
		sep := " AND "
		if con.Match == 'f' {
			sep = " OR "
		}
		return fmt.Sprintf("SELECT %s FROM %s fk WHERE (%s) AND NOT EXISTS (SELECT 1 FROM %s pk WHERE %s) LIMIT 1",
			strings.Join(texts, ", "), qualified(t), strings.Join(nulls, sep), qualified(ref), strings.Join(joins, " AND "))
	}, func(row []catalog.Value) *pgerror.Error {
		vals := make([]string, len(row))
		for i, v := range row {
			vals[i] = string(v.Bytes)
		}
		return pgerror.New(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"", table, name).
			WithDetail("Key (%s)=(%s) is not present in table \"%s\".", shown, strings.Join(vals, ", "), parent).
			WithTable(schema, table).WithConstraint(name)
	})
}
