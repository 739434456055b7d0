package sqlstore_test

import (
	"testing"

	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

func TestConformanceOnDisk(t *testing.T) {
	storetest.Run(t, true, func(t testing.TB) sqlstore.Config { return sqlstore.Config{Dir: t.TempDir()} })
}

func TestConformanceInMemory(t *testing.T) {
	storetest.Run(t, false, func(testing.TB) sqlstore.Config { return sqlstore.Config{} })
}
