package copyformat

import (
	"bytes"
	"unicode/utf8"
)

// splitText makes fields of a line of the text format.
func (d *Reader) splitText(line []byte) error {
	delim := d.o.Delimiter
	null := d.o.Null
	start := 0
	escaped := false // the field has a backslash
	out := 0         // where its unescaped form starts in scratch
	for i := 0; ; i++ {
		if i < len(line) && line[i] != delim && line[i] != '\\' {
			if escaped {
				d.scratch = append(d.scratch, line[i])
			}
			continue
		}
		if i < len(line) && line[i] == '\\' {
			if !escaped {
				escaped = true
				d.reserve(len(line))
				out = len(d.scratch)
				d.scratch = append(d.scratch, line[start:i]...)
			}
			if i+1 < len(line) {
				i = d.unescape(line, i+1)
				continue
			}
			line = line[:i] // a backslash at the data's end stands for nothing
		}
		raw := line[start:min(i, len(line))]
		switch {
		case len(raw) == len(null) && string(raw) == null:
			d.fields = append(d.fields, nil)
		case escaped:
			field := d.scratch[out:len(d.scratch):len(d.scratch)]
			// An octal or hexadecimal escape may have made anything.
			if !utf8.Valid(field) || bytes.IndexByte(field, 0) >= 0 {
				return invalidUTF8(field)
			}
			d.fields = append(d.fields, field)
		default:
			d.fields = append(d.fields, raw)
		}
		if i >= len(line) {
			return nil
		}
		start, escaped = i+1, false
	}
}

// reserve makes room for n bytes in scratch, so that fields that lie in it stay where they are while a line is split.
func (d *Reader) reserve(n int) {
	if cap(d.scratch)-len(d.scratch) < n {
		grown := make([]byte, len(d.scratch), len(d.scratch)+n+256)
		copy(grown, d.scratch)
		d.scratch = grown
	}
}

// unescape appends what the byte at i, which follows a backslash, stands for, and returns the position of the escape's
// last byte.
func (d *Reader) unescape(line []byte, i int) int {
	c := line[i]
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'v':
		c = '\v'
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := int(c - '0')
		for k := 0; k < 2 && i+1 < len(line) && line[i+1] >= '0' && line[i+1] <= '7'; k++ {
			i++
			n = n<<3 | int(line[i]-'0')
		}
		c = byte(n)
	case 'x':
		if i+1 < len(line) && isHex(line[i+1]) {
			n := 0
			for k := 0; k < 2 && i+1 < len(line) && isHex(line[i+1]); k++ {
				i++
				n = n<<4 | hexDigit(line[i])
			}
			c = byte(n)
		}
	}
	d.scratch = append(d.scratch, c)
	return i
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexDigit(c byte) int {
	switch {
	case c >= 'a':
		return int(c-'a') + 10
	case c >= 'A':
		return int(c-'A') + 10
	}
	return int(c - '0')
}

// splitCSV makes fields of a line of the csv format.
func (d *Reader) splitCSV(line []byte) error {
	delim, quote, escape, null := d.o.Delimiter, d.o.Quote, d.o.Escape, d.o.Null
	for start := 0; ; {
		end := start
		for end < len(line) && line[end] != delim && line[end] != quote {
			end++
		}
		var field []byte
		quoted := end < len(line) && line[end] == quote
		if !quoted {
			field = line[start:end]
		} else {
			d.reserve(len(line))
			out := len(d.scratch)
			d.scratch = append(d.scratch, line[start:end]...)
			in := false
			for ; end < len(line); end++ {
				c := line[end]
				if !in {
					if c == delim {
						break
					}
					if c == quote {
						in = true
						continue
					}
				} else {
					if c == escape && end+1 < len(line) && (line[end+1] == escape || line[end+1] == quote) {
						end++
						d.scratch = append(d.scratch, line[end])
						continue
					}
					if c == quote {
						in = false
						continue
					}
				}
				d.scratch = append(d.scratch, c)
			}
			if in {
				return bad("unterminated CSV quoted field")
			}
			field = d.scratch[out:len(d.scratch):len(d.scratch)]
		}
		column := len(d.fields)
		isNull := len(field) == len(null) && string(field) == null &&
			(!quoted || column < len(d.forceNull) && d.forceNull[column])
		if isNull && !quoted && column < len(d.forceNotNull) && d.forceNotNull[column] {
			isNull = false
		}
		if isNull {
			field = nil
		}
		d.fields = append(d.fields, field)
		if end >= len(line) {
			return nil
		}
		start = end + 1
	}
}
