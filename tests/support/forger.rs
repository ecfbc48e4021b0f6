//! Somebody who may write the whole database and holds the ledger key: changes an audit chain in every way there is, by Python's own
//! sqlite3 and hashlib.
//!
//! Must never know: the product's code for chains. Invariant: an order that changes nothing is an error, so that no test believes in
//! a forgery that did not happen.

use anyhow::{Context, Result, ensure};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const FORGE: &str = r#"
import hashlib, json, random, sqlite3, sys

COLUMNS = "seq, kind, at_ms, body, prev, hash"

def digest(tenant, seq, kind, at_ms, body, prev):
    made = hashlib.sha256(b"countersign/audit/v1\0")
    number = lambda value: value.to_bytes(8, "big", signed=True)
    for part in (prev, tenant, number(seq), kind.encode(), number(at_ms), body.encode()):
        made.update(len(part).to_bytes(8, "big") + part)
    return made.digest()

def flip(db, tenant, rows, at, rng):
    column = rng.choice(["kind", "at_ms", "body", "prev", "hash"])
    seq, kind, at_ms, body, prev, hash_ = rows[at]
    value = {"kind": kind, "at_ms": at_ms, "body": body, "prev": prev, "hash": hash_}[column]
    if column == "at_ms":
        value ^= 1 << rng.randrange(20)
    elif column == "body":
        said = json.loads(value)
        name = rng.choice(sorted(said))
        said[name] = str(said[name]) + rng.choice("abcdef")
        value = json.dumps(said, sort_keys=True, separators=(",", ":"))
    elif column == "kind":
        place = rng.randrange(len(value))
        value = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1:]
    else:
        value = bytearray(value)
        value[rng.randrange(32)] ^= 1 << rng.randrange(8)
        value = bytes(value)
    db.execute(f"UPDATE audit SET {column} = ? WHERE tenant = ? AND seq = ?", (value, tenant, seq))

def delete(db, tenant, rows, at, rng):
    db.execute("DELETE FROM audit WHERE tenant = ? AND seq = ?", (tenant, rows[at][0]))

def swap(db, tenant, rows, at, rng):
    other = (at + rng.randrange(1, len(rows))) % len(rows)
    for one, two in ((rows[at], rows[other]), (rows[other], rows[at])):
        db.execute("UPDATE audit SET kind = ?, at_ms = ?, body = ?, prev = ?, hash = ? WHERE tenant = ? AND seq = ?",
                   two[1:] + (tenant, one[0]))

def insert(db, tenant, rows, at, rng):
    seq = rows[at][0]
    db.execute("UPDATE audit SET seq = seq + 1000001 WHERE tenant = ? AND seq >= ?", (tenant, seq))
    db.execute("UPDATE audit SET seq = seq - 1000000 WHERE tenant = ? AND seq > 1000000", (tenant,))
    body = json.dumps({"i": rng.randrange(1000)})
    prev = rows[at][4]
    made = digest(tenant, seq, "test.entry", rows[at][2], body, prev)
    db.execute(f"INSERT INTO audit (tenant, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
               (tenant, seq, "test.entry", rows[at][2], body, prev, made))

def truncate(db, tenant, rows, at, rng):
    db.execute("DELETE FROM audit WHERE tenant = ? AND seq >= ?", (tenant, rows[at][0]))

def rechain(db, tenant, rows, at, rng):
    flavour = rng.choice(["change", "drop", "add"])
    kept = [list(row) for row in db.execute(f"SELECT {COLUMNS} FROM audit WHERE tenant = ? ORDER BY seq", (tenant,))]
    if flavour == "change":
        kept[at][3] = json.dumps({"i": "forged %d" % rng.randrange(10**9)})
    elif flavour == "drop":
        del kept[at]
    else:
        kept.insert(at, [0, "test.entry", kept[at][2], json.dumps({"i": "forged"}), b"", b""])
    db.execute("DELETE FROM audit WHERE tenant = ?", (tenant,))
    prev = bytes(32)
    for seq, row in enumerate(kept, 1):
        made = digest(tenant, seq, row[1], row[2], row[3], prev)
        db.execute(f"INSERT INTO audit (tenant, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   (tenant, seq, row[1], row[2], row[3], prev, made))
        prev = made

def rewrite(db, tenant, rows, at, rng):
    """Re-chains and clears the way for a log that never was told anything else."""
    rechain(db, tenant, rows, at, rng)
    name = "tn_" + tenant.hex()
    db.execute("DELETE FROM log_salts WHERE subject = ?", (name,))
    db.execute("DELETE FROM log_tiles")
    db.execute("DELETE FROM log_head")
    db.execute("DELETE FROM log_queue")
    db.execute("UPDATE log_salts SET place = NULL")
    db.execute("INSERT INTO log_queue (entry, tenant, at_ms) SELECT entry, tenant, 0 FROM log_salts")
    db.execute("UPDATE tenants SET audit_logged = 0 WHERE id = ?", (tenant,))

def tell_anew(db, tenant, rows, at, rng):
    """Re-chains, forgets what the log was told of it, and has it told anew behind it."""
    rechain(db, tenant, rows, at, rng)
    db.execute("DELETE FROM log_salts WHERE subject = ?", ("tn_" + tenant.hex(),))
    db.execute("UPDATE tenants SET audit_logged = 0 WHERE id = ?", (tenant,))

WAYS = {f.__name__: f for f in (flip, delete, swap, insert, truncate, rechain, rewrite, tell_anew)}

for line in sys.stdin:
    order = json.loads(line)
    db = sqlite3.connect(order["database"], isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA synchronous = OFF")
    tenant, rng = bytes.fromhex(order["tenant"]), random.Random(order["seed"])
    db.execute("BEGIN IMMEDIATE")
    db.execute("DROP TRIGGER audit_is_never_edited")
    db.execute("DROP TRIGGER audit_is_never_cut")
    whole = lambda: db.execute(f"SELECT {COLUMNS} FROM audit WHERE tenant = ? ORDER BY seq", (tenant,)).fetchall()
    before = whole()
    rows = before[:order["covered"]]
    WAYS[order["way"]](db, tenant, rows, rng.randrange(len(rows)), rng)
    changed = whole() != before
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    print("forged" if changed else "unchanged", flush=True)
"#;

/// Every way in which it is done.
pub const WAYS: [&str; 8] = ["flip", "delete", "swap", "insert", "truncate", "rechain", "rewrite", "tell_anew"];

/// The ways after which the log is told anew, so that database, chain, log and signatures agree with one another.
pub const TOLD_ANEW: [&str; 2] = ["rewrite", "tell_anew"];

/// One forgery.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The database file; nobody else has it open.
    pub database: &'a Path,
    /// Whose audit, as `tn_…`.
    pub tenant: &'a str,
    /// How.
    pub way: &'a str,
    /// Only entries up to here are touched first.
    pub covered: i64,
    /// Where and with what.
    pub seed: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Forger {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Forger {
    /// Starts it.
    ///
    /// # Errors
    /// Where there is no Python.
    pub fn start() -> Result<Self> {
        let mut command = Command::new("python3");
        let mut child = command.args(["-c", FORGE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take().context("no input")?;
        let answers = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, orders, answers })
    }

    /// Forges.
    ///
    /// # Errors
    /// Where it fails or changes nothing.
    pub fn forge(&mut self, order: &Order<'_>) -> Result<()> {
        let told = serde_json::json!({
            "database": order.database, "tenant": order.tenant.trim_start_matches("tn_"), "way": order.way,
            "covered": order.covered, "seed": order.seed,
        });
        writeln!(self.orders, "{told}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer.trim() == "forged", "{order:?}: {answer:?}");
        Ok(())
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
