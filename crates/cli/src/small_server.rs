//! For tests: a directory served over plain HTTP, well or badly.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How the little server answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// Takes the connection and says nothing.
    Silent,
    /// Never ends.
    Endless,
    /// Ends in the middle.
    Half,
    /// 503.
    Error,
    /// Points to itself.
    Circle,
}

/// Serves a directory over plain HTTP until the test ends.
pub(crate) fn serve(folder: PathBuf, manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder) = (stream.unwrap(), folder.clone());
            thread::spawn(move || {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
                let _gone = answer(&mut stream, &folder.join(path), manner);
            });
        }
    });
    format!("http://{address}")
}

fn answer(stream: &mut TcpStream, path: &Path, manner: Manner) -> std::io::Result<()> {
    let head =
        |status: &str, length: usize| format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    let body = fs::read(path).ok();
    match (manner, body) {
        (Manner::Silent, _) => {
            thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        (Manner::Endless, _) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 65_536])?;
            }
        }
        (Manner::Error, _) => stream.write_all((head("503 Unavailable", 0) + "\r\n").as_bytes()),
        (Manner::Circle, _) => stream.write_all((head("302 Found", 0) + "location: /again\r\n\r\n").as_bytes()),
        (_, None) => stream.write_all((head("404 Not Found", 0) + "\r\n").as_bytes()),
        (manner, Some(bytes)) => {
            stream.write_all((head("200 OK", bytes.len()) + "\r\n").as_bytes())?;
            stream.write_all(&bytes[..if manner == Manner::Half { bytes.len() / 2 } else { bytes.len() }])
        }
    }
}
