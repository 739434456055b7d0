package catalog_test

import (
	"testing"

	"layercake/catalog"
)

func TestTablesParse(t *testing.T) {
	t.Log(len(catalog.Functions()), len(catalog.Operators()), len(catalog.Casts()))
}
