package nodes

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Rows makes rows of COPY's text format: a number and random letters, until Limit bytes or Count rows are made.
type Rows struct {
	Next, Count int
	Letters     int // in a row; 100 when zero
	Step        int // from a number to the next; 1 when zero
	Limit       int
	Made        int // bytes
	buf         bytes.Buffer
	random      *rand.ChaCha8
}

func (g *Rows) Read(p []byte) (int, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	if g.random == nil {
		g.random = rand.NewChaCha8([32]byte{1})
	}
	if g.Letters == 0 {
		g.Letters = 100
	}
	if g.Step == 0 {
		g.Step = 1
	}
	row := make([]byte, g.Letters)
	for g.buf.Len() < len(p) && g.Count > 0 && (g.Limit == 0 || g.Made < g.Limit) {
		from := g.buf.Len()
		g.buf.WriteString(strconv.Itoa(g.Next))
		g.buf.WriteByte('\t')
		g.random.Read(row)
		for i := range row {
			row[i] = letters[row[i]%64]
		}
		g.buf.Write(row)
		g.buf.WriteByte('\n')
		g.Made += g.buf.Len() - from
		g.Next += g.Step
		g.Count--
	}
	if g.buf.Len() == 0 {
		return 0, io.EOF
	}
	return g.buf.Read(p)
}

// Load copies rows into a table, in transactions of each rows.
func (h *Host) Load(conn *pgx.Conn, table string, rows *Rows, each int) error {
	for left := rows.Count; left > 0; left -= each {
		rows.Count = min(left, each)
		if _, err := conn.PgConn().CopyFrom(h.Ctx, rows, "COPY "+table+" FROM STDIN"); err != nil {
			return err
		}
	}
	return nil
}
