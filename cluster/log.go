package cluster

import (
	"bytes"
	"context"
	"log/slog"
)

// logWriter turns memberlist's log lines, "… [LEVEL] memberlist: text", into slog records.
type logWriter struct{ log *slog.Logger }

// Write logs one line.
func (w logWriter) Write(p []byte) (int, error) {
	line, level := bytes.TrimSpace(p), slog.LevelDebug
	for tag, l := range map[string]slog.Level{
		"[ERR]": slog.LevelWarn, "[WARN]": slog.LevelInfo, "[INFO]": slog.LevelDebug, "[DEBUG]": slog.LevelDebug,
	} {
		if _, rest, ok := bytes.Cut(line, []byte(tag)); ok {
			line, level = bytes.TrimSpace(rest), l
			break
		}
	}
	w.log.Log(context.Background(), level, string(bytes.TrimPrefix(line, []byte("memberlist: "))))
	return len(p), nil
}
