package sqlfunc

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var sessionFuncs = []def{
	volatile("lc_nextval", 1, nullIn(nextval)),
	volatile("lc_currval", 1, nullIn(currval)),
	volatile("lc_lastval", 0, lastval),
	volatile("lc_setval", 3, nullIn(setval)),
	volatile("lc_sequence_last_value", 1, nullIn(sequenceLastValue)),
	volatile("lc_setting", 2, nullIn(setting)),
	volatile("lc_set_config", 3, setConfig),
	volatile("lc_advisory_lock", 5, advisoryLock),
	volatile("lc_advisory_unlock", 3, advisoryUnlock),
	volatile("lc_advisory_unlock_all", 0, advisoryUnlockAll),
	volatile("lc_backend_pid", 0, backendPID),
	volatile("lc_cancel_backend", 1, nullIn(signal(false))),
	volatile("lc_terminate_backend", 2, nullIn(signal(true))),
	volatile("lc_terminate_backend", 1, nullIn(signal(true))),
	volatile("lc_notify", 2, notify),
	volatile("lc_listening_channels", 0, listeningChannels),
	volatile("lc_blocking_pids", 1, nullIn(blockingPIDs)),
	volatile("lc_sleep", 1, nullIn(sleep)),
	volatile("lc_sleep_iv", 1, nullIn(sleepInterval)),
	volatile("lc_sleep_until", 1, nullIn(sleepUntil)),
	volatile("lc_txid_current", 0, txid(true)),
	volatile("lc_txid_current_if_assigned", 0, txid(false)),
	volatile("lc_xact_status", 1, nullIn(xactStatus)),
	volatile("lc_session_random", 0, random),
	volatile("lc_setseed", 1, nullIn(setseed)),
	volatile("lc_gen_random_uuid", 0, randomUUID),
	volatile("lc_clock_timestamp", 0, clockTimestamp),
	volatile("lc_start_time", 0, startTime),
	volatile("lc_version", 0, version),
	volatile("lc_server_port", 0, nothing),
	volatile("lc_client_port", 0, nothing),
	volatile("lc_node_name", 0, nodeName),
	volatile("lc_unique_id", 0, uniqueID),
	volatile("lc_session_token", 0, sessionToken),
	volatile("lc_wait_for", 1, nullIn(waitFor)),
	volatile("lc_transaction_status", 1, nullIn(transactionStatus)),
	volatile("lc_verify", 0, verify),
	volatile("lc_repair", 1, nullIn(repair)),
	volatile("lc_remove_node", 1, nullIn(removeNode)),
	volatile("lc_leave", 0, leave),
}

// void is the value of a function that returns void.
var void = catalog.Str("")

func intResult(n int64, err error) (catalog.Value, error) {
	if err != nil {
		return null, err
	}
	return catalog.Int(n), nil
}

func strResult(s string, err error) (catalog.Value, error) {
	if err != nil {
		return null, err
	}
	return catalog.Str(s), nil
}

func boolResult(b bool, err error) (catalog.Value, error) {
	if err != nil {
		return null, err
	}
	return catalog.Bool(b), nil
}

func voidResult(err error) (catalog.Value, error) {
	if err != nil {
		return null, err
	}
	return void, nil
}

func nextval(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Sequences](ctx, "nextval")
	if err != nil {
		return null, err
	}
	return intResult(s.NextVal(uint32(args[0].Int())))
}

func currval(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Sequences](ctx, "currval")
	if err != nil {
		return null, err
	}
	return intResult(s.CurrVal(uint32(args[0].Int())))
}

func lastval(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Sequences](ctx, "lastval")
	if err != nil {
		return null, err
	}
	return intResult(s.LastVal())
}

func setval(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Sequences](ctx, "setval")
	if err != nil {
		return null, err
	}
	return intResult(args[1].Int(), s.SetVal(uint32(args[0].Int()), args[1].Int(), args[2].Bool()))
}

func sequenceLastValue(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Sequences](ctx, "pg_sequence_last_value")
	if err != nil {
		return null, err
	}
	v, ok, err := s.SequenceLastValue(uint32(args[0].Int()))
	if err != nil || !ok {
		return null, err
	}
	return catalog.Int(v), nil
}

func setting(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Settings](ctx, "current_setting")
	if err != nil {
		return null, err
	}
	name := string(args[0].Bytes)
	v, ok := s.Setting(name)
	switch {
	case ok:
		return catalog.Str(v), nil
	case args[1].Bool():
		return null, nil
	}
	return null, errf("42704", "unrecognized configuration parameter \"%s\"", name)
}

func setConfig(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Settings](ctx, "set_config")
	if err != nil {
		return null, err
	}
	if args[0].IsNull() {
		return null, errf("22004", "SET requires parameter name")
	}
	return strResult(s.SetConfig(string(args[0].Bytes), string(args[1].Bytes), args[2].Bool()))
}

// advisoryLock has the arguments key, second key or NULL, shared, until the transaction ends, wait.
func advisoryLock(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[AdvisoryLocks](ctx, "pg_advisory_lock")
	if err != nil || args[0].IsNull() {
		return null, err
	}
	k := lockKey(args)
	k.Transactional = args[3].Bool()
	got, err := s.AdvisoryLock(k, args[4].Bool())
	if args[4].Bool() {
		return voidResult(err)
	}
	return boolResult(got, err)
}

func lockKey(args []catalog.Value) LockKey {
	return LockKey{Two: !args[1].IsNull(), Key: args[0].Int(), Key2: int32(args[1].Int()), Shared: args[2].Bool()}
}

func advisoryUnlock(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[AdvisoryLocks](ctx, "pg_advisory_unlock")
	if err != nil || args[0].IsNull() {
		return null, err
	}
	return boolResult(s.AdvisoryUnlock(lockKey(args)))
}

func advisoryUnlockAll(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[AdvisoryLocks](ctx, "pg_advisory_unlock_all")
	if err != nil {
		return null, err
	}
	return voidResult(s.AdvisoryUnlockAll())
}

func backendPID(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Backend](ctx, "pg_backend_pid")
	if err != nil {
		return null, err
	}
	return catalog.Int(int64(s.PID())), nil
}

func signal(terminate bool) call {
	return func(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		s, err := part[Backend](ctx, "pg_cancel_backend")
		if err != nil {
			return null, err
		}
		return boolResult(s.Signal(uint32(args[0].Int()), terminate))
	}
}

func notify(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Backend](ctx, "pg_notify")
	if err != nil {
		return null, err
	}
	channel := args[0].Bytes
	switch {
	case len(channel) == 0:
		return null, errf("22023", "channel name cannot be empty")
	case len(channel) >= 64:
		return null, errf("22023", "channel name too long")
	case len(args[1].Bytes) >= 8000:
		return null, errf("22023", "payload string too long")
	}
	return voidResult(s.Notify(string(channel), string(args[1].Bytes)))
}

func listeningChannels(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Backend](ctx, "pg_listening_channels")
	if err != nil {
		return null, err
	}
	return textArray(s.Listening()), nil
}

// blockingPIDs knows of no waits: locks are not shown to others.
func blockingPIDs(*sqlite.Context, []catalog.Value) (catalog.Value, error) {
	return catalog.EncodeArray(catalog.Int4OID, nil, nil), nil
}

func pause(ctx *sqlite.Context, d time.Duration) (catalog.Value, error) {
	if d <= 0 {
		return void, nil
	}
	s, err := part[Backend](ctx, "pg_sleep")
	if err != nil {
		return null, err
	}
	return voidResult(s.Sleep(d))
}

func sleep(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	secs := args[0].Float()
	if math.IsNaN(secs) || secs <= 0 {
		return void, nil
	}
	return pause(ctx, time.Duration(min(secs, 1e9)*float64(time.Second)))
}

func sleepInterval(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := catalog.DecodeInterval(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_sleep_iv", err)
	}
	days := float64(iv.Months)*30 + float64(iv.Days)
	return pause(ctx, time.Duration(min(days*86400+float64(iv.Micros)/1e6, 1e9)*float64(time.Second)))
}

func sleepUntil(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	at := args[0].Int()
	d := float64(at) - float64(pgMicros(time.Now()))
	return pause(ctx, time.Duration(min(d/1e6, 1e9)*float64(time.Second)))
}

func txid(assign bool) call {
	return func(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
		s, err := part[Transactions](ctx, "txid_current")
		if err != nil {
			return null, err
		}
		id, err := s.TransactionID(assign)
		if err != nil || id == 0 {
			return null, err
		}
		return catalog.Int(id), nil
	}
}

// xactStatus cannot tell: numbers of transactions mean nothing beyond their own transaction.
func xactStatus(*sqlite.Context, []catalog.Value) (catalog.Value, error) { return null, nil }

func nothing(*sqlite.Context, []catalog.Value) (catalog.Value, error) { return null, nil }

// remember makes a value that must come out the same when the transaction is run again.
func remember(ctx *sqlite.Context, makeValue func() (catalog.Value, error)) (catalog.Value, error) {
	if s, ok := ctx.Session().(Transactions); ok {
		return s.Remember(makeValue)
	}
	return makeValue()
}

func random(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	return remember(ctx, func() (catalog.Value, error) {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return null, err
		}
		return catalog.Float(float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)), nil
	})
}

// setseed is refused rather than ignored: random() draws from the system's source, which has no seed.
func setseed(*sqlite.Context, []catalog.Value) (catalog.Value, error) {
	return null, errf("0A000", "setseed is not supported")
}

func randomUUID(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	return remember(ctx, RandomUUID)
}

// RandomUUID makes a value of gen_random_uuid.
func RandomUUID() (catalog.Value, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return null, err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return catalog.BlobBytes(b), nil
}

func clockTimestamp(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	return remember(ctx, func() (catalog.Value, error) { return catalog.Int(pgMicros(time.Now())), nil })
}

// pgEpoch is 2000-01-01 in Unix microseconds.
const pgEpoch = 946684800_000000

// pgMicros is t in microseconds since 2000-01-01 UTC.
func pgMicros(t time.Time) int64 { return t.UnixMicro() - pgEpoch }

func startTime(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "pg_postmaster_start_time")
	if err != nil {
		return null, err
	}
	return catalog.Int(s.StartTime()), nil
}

// version names PostgreSQL first, because clients read the number after it.
func version(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	v := "15.0"
	if s, ok := ctx.Session().(Settings); ok {
		if have, ok := s.Setting("server_version"); ok {
			v = have
		}
	}
	return catalog.Str("PostgreSQL " + v + " (layercake) on " + platform + ", compiled by Go"), nil
}

func nodeName(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "node_name")
	if err != nil {
		return null, err
	}
	return catalog.Str(s.NodeName()), nil
}

func uniqueID(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "unique_id")
	if err != nil {
		return null, err
	}
	return remember(ctx, func() (catalog.Value, error) { return intResult(s.UniqueID()) })
}

func sessionToken(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "session_token")
	if err != nil {
		return null, err
	}
	return strResult(s.SessionToken())
}

func waitFor(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "wait_for")
	if err != nil {
		return null, err
	}
	return voidResult(s.WaitFor(string(args[0].Bytes)))
}

func transactionStatus(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "transaction_status")
	if err != nil {
		return null, err
	}
	return strResult(s.TransactionStatus(string(args[0].Bytes)))
}

func verify(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "verify")
	if err != nil {
		return null, err
	}
	rows, err := s.Verify()
	if err != nil {
		return null, err
	}
	var b []byte
	for _, r := range rows {
		b = catalog.AppendRow(b, []catalog.Value{catalog.Str(r.Node), catalog.Str(r.Relation), catalog.Int(r.Rows),
			catalog.Str(r.Digest), catalog.Bool(r.OK), catalog.Str(r.Detail)})
	}
	return catalog.BlobBytes(b), nil
}

func repair(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "repair")
	if err != nil {
		return null, err
	}
	return intResult(s.Repair(uint32(args[0].Int())))
}

func removeNode(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "remove_node")
	if err != nil {
		return null, err
	}
	return strResult(s.RemoveNode(string(args[0].Bytes)))
}

func leave(ctx *sqlite.Context, _ []catalog.Value) (catalog.Value, error) {
	s, err := part[Cluster](ctx, "leave")
	if err != nil {
		return null, err
	}
	return strResult(s.Leave())
}
