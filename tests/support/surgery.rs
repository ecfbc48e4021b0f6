//! What somebody with the database in hand could do to it: to a file by Python's own sqlite3, to a server by psql.
//!
//! Must never know: the product's door to the database. Invariant: a statement that changes nothing is an error, so that no
//! test believes in a surgery that did not happen.

use crate::{
    cluster::output,
    database::{Database, psql, psql_at},
    places,
};
use anyhow::{Context, Result, ensure};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

const OPERATE: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
database.execute('BEGIN IMMEDIATE')
for statement in sys.argv[2:]:
    if database.execute(statement).rowcount < 1:
        sys.exit('changes nothing: ' + statement)
database.execute('COMMIT')
";

const READ: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN')
print(database.execute('SELECT count(*) FROM audit').fetchone()[0], flush=True)
sys.stdin.readline()
";

const WRITE: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
database.execute('BEGIN IMMEDIATE')
print(0, flush=True)
sys.stdin.readline()
";

const DEFINE: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
for statement in sys.argv[2:]:
    database.execute(statement).fetchall()
";

/// Whether this machine has a Python with sqlite3.
///
/// # Errors
/// Where it has not.
pub fn possible() -> Result<()> {
    places::tool("python3", &["-c", "import sqlite3"])
}

/// Changes rows, all statements in one transaction.
///
/// # Errors
/// Where a statement fails or changes nothing.
pub fn operate(database: &Database, statements: &[&str]) -> Result<()> {
    match database {
        Database::File(path) => output(python(OPERATE).arg(path).args(statements)).map(drop),
        Database::Server { socket, name } => {
            let said = psql(socket, name, statements)?;
            ensure!(said.lines().all(|line| !line.ends_with(" 0")), "changes nothing: {statements:?}");
            Ok(())
        }
    }
}

/// Runs statements that change the schema or the file, not rows.
///
/// # Errors
/// Where a statement fails.
pub fn define(database: &Database, statements: &[&str]) -> Result<()> {
    match database {
        Database::File(path) => output(python(DEFINE).arg(path).args(statements)).map(drop),
        Database::Server { socket, name } => psql(socket, name, statements).map(drop),
    }
}

/// Has the audit's table take no entry, or take them again.
///
/// # Errors
/// Where it stands so already.
pub fn refuse_audit(database: &Database, refuse: bool) -> Result<()> {
    let statements: &[&str] = match (database, refuse) {
        (Database::File(_), true) => {
            &["CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"]
        }
        (Database::File(_), false) => &["DROP TRIGGER no_audit"],
        (Database::Server { .. }, true) => &[
            "CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
            "CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_audit()",
        ],
        (Database::Server { .. }, false) => &["DROP TRIGGER no_audit ON audit", "DROP FUNCTION no_audit()"],
    };
    define(database, statements)
}

/// Takes away what keeps audit entries from being deleted.
///
/// # Errors
/// Where it is gone already.
pub fn unlock_audit(database: &Database) -> Result<()> {
    let on = if database.file().is_some() { "" } else { " ON audit" };
    define(database, &[&format!("DROP TRIGGER audit_is_never_cut{on}")])
}

/// Changes rows as a program would that neither overwrites what it deletes nor writes its log back.
///
/// # Errors
/// As [`operate`].
pub fn operate_carelessly(database: &Path, statements: &[&str]) -> Result<()> {
    let careless =
        "database.execute('PRAGMA secure_delete = OFF')\ndatabase.execute('PRAGMA wal_autocheckpoint = 0')\n";
    let script = OPERATE.replace("database.execute('BEGIN", &format!("{careless}database.execute('BEGIN"));
    output(Command::new("python3").args(["-c", &script]).arg(database).args(statements)).map(drop)
}

/// Exchanges columns between the references of two users, whatever their tenants.
///
/// # Errors
/// As [`operate`].
pub fn exchange(database: &Database, columns: &[&str], (first, second): (&str, &str)) -> Result<()> {
    ensure!(!columns.is_empty(), "no column to exchange");
    let take = |column: &&str| {
        format!(
            "{column} = (SELECT {column} FROM taken WHERE user_id <> sealed_references.user_id \
             AND user_id IN ('{first}', '{second}'))"
        )
    };
    let taken = "CREATE TEMP TABLE taken AS SELECT * FROM sealed_references";
    let update = format!(
        "UPDATE sealed_references SET {} WHERE user_id IN ('{first}', '{second}')",
        columns.iter().map(take).collect::<Vec<_>>().join(", ")
    );
    match database {
        Database::File(path) => {
            let script = OPERATE.replace("for statement", &format!("database.execute('{taken}')\nfor statement"));
            output(python(&script).arg(path).arg(update)).map(drop)
        }
        Database::Server { .. } => operate(database, &[taken, &update]),
    }
}

const KEEP: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
database.execute('ATTACH ? AS aside', (sys.argv[1] + '-aside',))
for statement in sys.argv[2:]:
    database.execute(statement)
";

/// Keeps a copy of all sealed references beside the database.
///
/// # Errors
/// Where it was done before.
pub fn keep(database: &Database) -> Result<()> {
    let keep = "CREATE TABLE aside.kept AS SELECT * FROM sealed_references";
    match database {
        Database::File(path) => output(python(KEEP).arg(path).arg(keep)).map(drop),
        Database::Server { socket, name } => psql(socket, name, &["CREATE SCHEMA aside", keep]).map(drop),
    }
}

/// Puts the sealed references back as they were kept.
///
/// # Errors
/// Where none were kept.
pub fn put_back(database: &Database) -> Result<()> {
    let back = ["DELETE FROM sealed_references", "INSERT INTO sealed_references SELECT * FROM aside.kept"];
    match database {
        Database::File(path) => {
            output(python(KEEP).arg(path).arg("BEGIN IMMEDIATE").args(back).arg("COMMIT")).map(drop)
        }
        Database::Server { socket, name } => psql(socket, name, &back).map(drop),
    }
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", script]);
    command
}

/// A process in the middle of a transaction, for as long as this value lives.
#[derive(Debug)]
pub struct Reader(Child);

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// Where the process does not come so far.
    pub fn begin(database: &Path) -> Result<Self> {
        let mut command = python(READ);
        command.arg(database);
        Self::within(command, b"")
    }

    /// Takes the lock that writers of the audit need, and keeps it.
    ///
    /// # Errors
    /// Where the process does not come so far.
    pub fn locking(database: &Database) -> Result<Self> {
        match database {
            Database::File(path) => {
                let mut command = python(WRITE);
                command.arg(path);
                Self::within(command, b"")
            }
            Database::Server { socket, name } => {
                let mut command = psql_at(socket, name)?;
                command.args(["-q", "-A", "-t"]);
                Self::within(command, b"BEGIN;\nLOCK TABLE audit IN ACCESS EXCLUSIVE MODE;\nSELECT 0;\n")
            }
        }
    }

    fn within(mut command: Command, said: &[u8]) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.as_mut().context("no input")?.write_all(said)?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let reader = Self(child);
        ensure!(line.trim().parse::<u64>().is_ok(), "the reader did not begin: {line:?}");
        Ok(reader)
    }

    /// Ends the transaction and waits until the process is gone.
    ///
    /// # Errors
    /// Where it does not end well.
    pub fn end(mut self) -> Result<()> {
        self.0.stdin.take().context("no input")?.write_all(b"\n")?;
        ensure!(self.0.wait()?.success(), "the reader ended badly");
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
