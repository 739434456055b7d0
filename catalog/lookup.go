package catalog

// Relation returns the table, view, sequence or system relation called name in schema, nil if there is none. Indexes
// are no relations here: see Index.
func (s *Schema) Relation(schema, name string) *Table { return s.relByName[relName{schema, name}] }

// RelationByOID returns the relation with the OID, nil if there is none.
func (s *Schema) RelationByOID(oid uint32) *Table { return s.relByOID[oid] }

// RelationByID returns the relation with the ID, nil if there is none.
func (s *Schema) RelationByID(id ID) *Table { return s.relByID[id] }

// Index returns the index called name in schema, nil if there is none.
func (s *Schema) Index(schema, name string) *Index { return s.idxByName[relName{schema, name}] }

// IndexByOID returns the index with the OID, nil if there is none.
func (s *Schema) IndexByOID(oid uint32) *Index { return s.idxByOID[oid] }

// Namespace returns the schema called name, nil if there is none.
func (s *Schema) Namespace(name string) *Namespace { return s.nsByName[name] }

// Role returns the role called name, nil if there is none.
func (s *Schema) Role(name string) *Role { return s.roles[name] }

// RoleByID returns the role with the ID, nil if there is none.
func (s *Schema) RoleByID(id ID) *Role {
	for _, r := range s.Roles {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Column returns the column called name, nil if there is none.
func (t *Table) Column(name string) *Column {
	if i := t.ColumnIndex(name); i >= 0 {
		return t.Columns[i]
	}
	return nil
}

// ColumnIndex returns where in t.Columns the column called name is, -1 if there is none.
func (t *Table) ColumnIndex(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// ColumnByID returns the column with the ID, nil if there is none.
func (t *Table) ColumnByID(id ID) *Column {
	if i := t.ColumnIndexByID(id); i >= 0 {
		return t.Columns[i]
	}
	return nil
}

// ColumnIndexByID returns where in t.Columns the column with the ID is, -1 if there is none.
func (t *Table) ColumnIndexByID(id ID) int {
	for i, c := range t.Columns {
		if c.ID == id {
			return i
		}
	}
	return -1
}

// ColumnByNum returns the column with the attnum, nil if there is none.
func (t *Table) ColumnByNum(num int16) *Column {
	for _, c := range t.Columns {
		if c.Num == num {
			return c
		}
	}
	return nil
}

// PrimaryKey returns the primary key constraint, nil if there is none.
func (t *Table) PrimaryKey() *Constraint {
	for _, c := range t.Constraints {
		if c.Kind == PrimaryKey {
			return c
		}
	}
	return nil
}

// Constraint returns the constraint called name, nil if there is none.
func (t *Table) Constraint(name string) *Constraint {
	for _, c := range t.Constraints {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// ConstraintByID returns the constraint with the ID, nil if there is none.
func (t *Table) ConstraintByID(id ID) *Constraint {
	for _, c := range t.Constraints {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// IndexByID returns the index with the ID, nil if there is none.
func (t *Table) IndexByID(id ID) *Index {
	for _, ix := range t.Indexes {
		if ix.ID == id {
			return ix
		}
	}
	return nil
}
