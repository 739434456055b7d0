// Package copyformat reads and writes the data of COPY in PostgreSQL's three formats: text, csv and binary
// (https://www.postgresql.org/docs/15/sql-copy.html). It splits a stream into rows of fields and joins them again;
// what a field's bytes mean is its caller's affair. Readers and Writers start no goroutines and are for one goroutine.
package copyformat

import (
	"fmt"
	"unicode/utf8"

	"layercake/pgerror"
)

// The formats, as COPY's FORMAT option names them.
const (
	Text   = "text"
	CSV    = "csv"
	Binary = "binary"
)

// Options are COPY's options. Zero bytes stand for PostgreSQL's defaults; Null stands for itself (see DefaultNull).
type Options struct {
	Format    string // Text (also ""), CSV or Binary
	Delimiter byte   // default: tab for text, comma for csv
	Null      string // how NULL is written, DefaultNull unless COPY's NULL option says otherwise
	Quote     byte   // csv; default: the double quote
	Escape    byte   // csv; default: Quote

	Header      bool // a first line with the columns' names: written, or skipped when read
	HeaderMatch bool // when read, it must have the right names

	ForceQuoteAll bool  // csv, writing: quote every value that is not NULL
	ForceQuote    []int // csv, writing: those of these columns (indexes into Columns)
	ForceNotNull  []int // csv, reading: never take these columns' values for NULL
	ForceNull     []int // csv, reading: take these columns' quoted values for NULL too

	Table   string   // the relation's name, for errors' Where
	Columns []string // the columns' names, in the order of the data
}

// DefaultNull is how a format writes NULL when nothing else is said.
func DefaultNull(format string) string {
	if format == CSV {
		return ""
	}
	return `\N`
}

func (o *Options) setDefaults() {
	if o.Format == "" {
		o.Format = Text
	}
	if o.Delimiter == 0 {
		o.Delimiter = '\t'
		if o.Format == CSV {
			o.Delimiter = ','
		}
	}
	if o.Quote == 0 {
		o.Quote = '"'
	}
	if o.Escape == 0 {
		o.Escape = o.Quote
	}
}

// flags makes of a list of column indexes one flag a column, nil if none is set.
func (o *Options) flags(columns []int) []bool {
	if len(columns) == 0 {
		return nil
	}
	set := make([]bool, len(o.Columns))
	for _, i := range columns {
		if i >= 0 && i < len(set) {
			set[i] = true
		}
	}
	return set
}

// maxShown is how much of a line or value an error shows, in bytes (PostgreSQL's MAX_COPY_DATA_DISPLAY).
const maxShown = 100

func shown(b []byte) string {
	if len(b) <= maxShown {
		return string(b)
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n]) + "..."
}

func bad(format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.BadCopyFileFormat, format, args...)
}

// where is an error's context, as PostgreSQL's CopyFromErrorCallback writes it.
func (o *Options) where(line int64, rest string) string {
	return fmt.Sprintf("COPY %s, line %d%s", o.Table, line, rest)
}
