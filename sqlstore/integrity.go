package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"layercake/catalog"
)

// integrity lets SQLite look at the whole file: every page in its place, every index in accord with its table. The
// digests speak of rows alone, while a query may well be answered from an index.
func (r *Reader) integrity(ctx context.Context) error {
	if err := r.pin(); err != nil {
		return err
	}
	r.watch(ctx)
	var errs []error
	err := each(r.conn, "PRAGMA integrity_check(20)", nil, func(v []catalog.Value) error {
		if said := string(v[0].Bytes); said != "ok" {
			errs = append(errs, fmt.Errorf("the database file %q is damaged: %s", r.s.path, said))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}
