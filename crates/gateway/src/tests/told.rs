//! Operators who are told: signed, again where it was not taken, never of a verification.

use super::house::House;
use crate::{authenticate::MacKey, config};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use custody::SecretFile;
use serde_json::Value;
use std::{collections::HashMap, path::Path, time::Duration};
use store::EventState;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::mpsc,
};

/// One request as the receiver got it.
struct Got {
    headers: HashMap<String, String>,
    body: String,
}

/// A receiver that answers each request with the next of `statuses`, and 204 from then on.
async fn receiver(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (got, gets) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut statuses = statuses.iter();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once(": ") {
                    headers.insert(name.to_lowercase(), value.trim().to_owned());
                }
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            let _gone = got.send(Got { headers, body: String::from_utf8(body).unwrap() });
            let status = statuses.next().unwrap_or(&204);
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, gets)
}

async fn house(url: String) -> House {
    House::with(|config| {
        let dir = config.keys.pepper.parent().unwrap().to_owned();
        let secret = dir.join("events.key");
        SecretFile::create(&secret).unwrap();
        config.events = Some(config::Events { url, secret, ca: None, timeout_ms: 5_000 });
    })
    .await
}

fn genuine(dir: &Path, got: &Got) -> bool {
    let key = MacKey::open(&dir.join("events.key")).unwrap();
    let message = format!("{}.{}.{}", got.headers["webhook-id"], got.headers["webhook-timestamp"], got.body);
    got.headers["webhook-signature"] == format!("v1,{}", STANDARD.encode(key.mac(message.as_bytes())))
}

async fn next(gets: &mut mpsc::UnboundedReceiver<Got>) -> Got {
    tokio::time::timeout(Duration::from_secs(15), gets.recv()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_of_a_hold_by_a_signed_notification_that_names_no_user() {
    let (url, mut gets) = receiver(&[500]).await;
    let house = house(url).await;
    house.enroll().await;
    let user = "alice".parse().unwrap();
    let hold = store::NewHold { tenant: house.tenant, user: &user, matter: "case 7", placed_by: "operator" };
    house.store.place_hold(hold).await.unwrap();
    let first = next(&mut gets).await;
    assert!(genuine(house.dir.path(), &first));
    let mut altered = Got { body: first.body.replace("hold", "fold"), ..first };
    assert!(!genuine(house.dir.path(), &altered), "positive control");
    altered.body = altered.body.replace("fold", "hold");
    let told: Value = serde_json::from_str(&altered.body).unwrap();
    assert_eq!((&told["type"], &told["data"]["tenant"]), (&"hold.placed".into(), &house.tenant.to_string().into()));
    assert!(!altered.body.contains("alice") && !altered.body.contains("case 7"), "{}", altered.body);

    let again = next(&mut gets).await;
    assert_eq!(again.headers["webhook-id"], altered.headers["webhook-id"], "not taken, so it came again");
    for _ in 0..100 {
        if house.store.events(Some(EventState::Waiting), 10).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events = house.store.events(None, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.state, event.tries)).collect();
    assert_eq!(told, [("hold.placed", EventState::Delivered, 2)], "and of the enrollment nobody was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_the_receiver_wants_no_more_is_dead_until_an_operator_revives_it() {
    let (url, mut gets) = receiver(&[410]).await;
    let house = house(url).await;
    house.register.suspend(house.tenant).await.unwrap();
    next(&mut gets).await;
    let dead = loop {
        if let Some(dead) = house.store.events(Some(EventState::Dead), 10).await.unwrap().pop() {
            break dead;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((dead.kind.as_str(), dead.error.as_deref()), ("tenant.suspended", Some("status 410")));
    assert!(house.store.revive_event(dead.id).await.unwrap());
    assert!(genuine(house.dir.path(), &next(&mut gets).await));
}
