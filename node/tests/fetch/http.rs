//! As much of HTTP as a JSON-RPC node and its client need, on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What a server does with a request.
pub(crate) enum Reply {
    /// Answers it.
    Result(Value),
    /// Refuses it, by JSON-RPC.
    Error { code: i64, message: &'static str },
    /// Gives a whole body, with this status and further header lines.
    Http { status: &'static str, headers: &'static str, body: String },
    /// Ends the connection in the middle of the body.
    CutOff,
    /// Ends the connection without a word.
    Close,
    /// Says nothing, for longer than any test waits.
    Hang,
}

/// A node on loopback that does what it is told.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `reply` gets the method, its params, and how often this method was asked before.
    pub(crate) fn start(reply: impl Fn(&str, &Value, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (reply, log) = (Arc::new(reply), Arc::clone(&asked));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
                thread::spawn(move || serve(stream, &*reply, &log));
            }
        });
        Self { url, asked }
    }

    /// How often a method was asked.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }
}

fn serve(mut stream: TcpStream, reply: &dyn Fn(&str, &Value, usize) -> Reply, log: &Mutex<Vec<String>>) {
    let Some(body) = read_message(&stream) else { return };
    let request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap();
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|asked| *asked == method).count();
        log.push(method.to_owned());
        before
    };
    let (status, headers, body) = match reply(method, &request["params"], before) {
        Reply::Result(result) => {
            ("200 OK", "", json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string())
        }
        Reply::Error { code, message } => {
            let error = json!({ "code": code, "message": message });
            ("200 OK", "", json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string())
        }
        Reply::Http { status, headers, body } => (status, headers, body),
        Reply::CutOff => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\"");
            return;
        }
        Reply::Close => return,
        Reply::Hang => {
            thread::sleep(std::time::Duration::from_secs(600));
            return;
        }
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    // Who has asked may be gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// The body of a request or an answer; nothing where the other side says nothing.
fn read_message(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// What a node on loopback answers to a request: the whole object.
pub(crate) fn ask(url: &str, method: &str, params: &Value) -> Value {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    serde_json::from_slice(&read_message(&stream).expect("an answer")).unwrap()
}

/// What a node on loopback answers to a request that it takes.
pub(crate) fn call(url: &str, method: &str, params: &Value) -> Value {
    let answer = ask(url, method, params);
    assert!(answer.get("error").is_none(), "{method} {params}: {answer}");
    answer["result"].clone()
}
