//! SRV questions and answers on the wire (RFC 1035 section 4, RFC 2782).

use thiserror::Error;

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Without the dot at the end.
    pub target: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Records(Vec<Record>),
    NoSuchName,
    /// It did not fit; ask again by TCP.
    Truncated,
}

/// An answer that cannot be read, or that a server does not want to give.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadAnswer {
    #[error("cannot unmarshal DNS message")]
    Garbled,
    #[error("server misbehaving")]
    Refused,
}

const SRV: u16 = 33;
const INTERNET: u16 = 1;
const HEAD_BYTES: usize = 12;
const LABEL_BYTES_MAX: usize = 63;
/// Compressed names point backwards; more jumps than a name can have labels are a circle.
const JUMPS_MAX: usize = 128;

/// None if the name is none.
pub fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion is desired; one question, nothing else.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok()?;
        if label.is_empty() || label.len() > LABEL_BYTES_MAX {
            return None;
        }
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(SRV.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    Some(message)
}

/// None if this answers another question.
pub fn answer(id: u16, message: &[u8]) -> Option<Result<Answer, BadAnswer>> {
    let is_answer = message.get(..2) == Some(&id.to_be_bytes()) && message.get(2).is_some_and(|byte| byte & 0x80 != 0);
    is_answer.then(|| read(message))
}

fn read(message: &[u8]) -> Result<Answer, BadAnswer> {
    let head = message.get(..HEAD_BYTES).ok_or(BadAnswer::Garbled)?;
    match (head[2] & 2 != 0, head[3] & 15) {
        (true, _) => Ok(Answer::Truncated),
        (_, 3) => Ok(Answer::NoSuchName),
        (_, 0) => records(message).ok_or(BadAnswer::Garbled).map(Answer::Records),
        _ => Err(BadAnswer::Refused),
    }
}

fn records(message: &[u8]) -> Option<Vec<Record>> {
    let (questions, answers) = (number(message, 4)?, number(message, 6)?);
    let mut at = HEAD_BYTES;
    for _ in 0..questions {
        at = name(message, at)?.1 + 4;
    }
    let mut found = Vec::new();
    for _ in 0..answers {
        at = name(message, at)?.1;
        let (kind, length) = (number(message, at)?, usize::from(number(message, at + 8)?));
        let data = at + 10;
        at = data + length;
        if kind == SRV {
            found.push(record(message.get(..at)?, data)?);
        }
    }
    Some(found)
}

fn record(message: &[u8], at: usize) -> Option<Record> {
    Some(Record {
        priority: number(message, at)?,
        weight: number(message, at + 2)?,
        port: number(message, at + 4)?,
        target: name(message, at + 6)?.0,
    })
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    let bytes = message.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A name, and where what follows it begins.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut after = None;
    let mut jumps = 0;
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some((labels.join("."), after.unwrap_or(at + 1))),
            1..=LABEL_BYTES_MAX => {
                let label = message.get(at + 1..at + 1 + length)?;
                labels.push(String::from_utf8_lossy(label).into_owned());
                at += 1 + length;
            }
            _ => {
                after = after.or(Some(at + 2));
                at = usize::from(number(message, at)? & 0x3fff);
                jumps += 1;
            }
        }
        if jumps > JUMPS_MAX || labels.len() > JUMPS_MAX {
            return None;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer to `question` with a compressed owner name, one record for each port.
    pub fn respond(question: &[u8], ports: &[u16], target: &str) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] |= 0x80;
        message[7] = ports.len() as u8;
        for port in ports {
            let target: Vec<u8> = target
                .split('.')
                .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
                .collect();
            message.extend([
                0xc0,
                12,
                0,
                33,
                0,
                1,
                0,
                0,
                0,
                60,
                0,
                (7 + target.len()) as u8,
                0,
                1,
                0,
                2,
            ]);
            message.extend(port.to_be_bytes());
            message.extend(target);
            message.push(0);
        }
        message
    }

    #[test]
    fn records_are_read_from_answers() {
        let question = question(7, "_etcd-server._tcp.example.com").expect("a name");
        let read = answer(7, &respond(&question, &[2380, 2381], "m1.example.com"));
        let record = |port| Record {
            priority: 1,
            weight: 2,
            port,
            target: "m1.example.com".to_owned(),
        };
        assert_eq!(read, Some(Ok(Answer::Records(vec![record(2380), record(2381)]))));
        assert_eq!(answer(8, &respond(&question, &[], "a")), None);
        assert_eq!(answer(7, &question), None);
    }

    #[test]
    fn what_went_wrong_is_told_apart() {
        let question = question(7, "a.b").expect("a name");
        let with = |byte: usize, bits: u8| {
            let mut message = respond(&question, &[1], "a");
            message[byte] |= bits;
            answer(7, &message).expect("an answer")
        };
        assert_eq!(with(3, 3), Ok(Answer::NoSuchName));
        assert_eq!(with(2, 2), Ok(Answer::Truncated));
        assert_eq!(with(3, 5), Err(BadAnswer::Refused));
    }

    #[test]
    fn no_cut_and_no_circle_does_harm() {
        let question = question(7, "a.b").expect("a name");
        let whole = respond(&question, &[1, 2], "x.y.z");
        for length in 2..whole.len() {
            assert!(
                !matches!(answer(7, &whole[..length]), Some(Ok(Answer::Records(_)))),
                "{length}"
            );
        }
        let mut circle = whole.clone();
        circle[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(answer(7, &circle), Some(Err(BadAnswer::Garbled)));
    }

    #[test]
    fn a_name_has_labels_of_some_length() {
        assert!(question(1, "a..b").is_none());
        assert!(question(1, &"x".repeat(64)).is_none());
    }
}
