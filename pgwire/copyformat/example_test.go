package copyformat_test

import (
	"fmt"
	"io"
	"os"
	"strings"

	"layercake/pgwire/copyformat"
)

func ExampleReader() {
	o := copyformat.Options{Format: copyformat.CSV, Table: "town", Columns: []string{"name", "people"}}
	r := copyformat.NewReader(strings.NewReader("\"Oslo, NO\",709037\nNowhere,\nX\n"), o)
	for {
		fields, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, %s, NULL %v\n", fields[0], fields[1], fields[1] == nil)
	}
	// Output:
	// Oslo, NO, 709037, NULL false
	// Nowhere, , NULL true
	// missing data for column "people" (SQLSTATE 22P04)
}

func ExampleWriter() {
	o := copyformat.Options{Null: copyformat.DefaultNull(copyformat.Text), Header: true, Columns: []string{"name", "people"}}
	w := copyformat.NewWriter(os.Stdout, o)
	w.Begin()
	w.Row([][]byte{[]byte(`C:\`), nil})
	w.Close()
	// Output:
	// name	people
	// C:\\	\N
}
