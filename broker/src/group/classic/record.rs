//! What of a group under the classic protocol survives a restart: its last stable generation.

use bytes::Bytes;

use crate::group::codec::{Reader, put_array, put_len, put_option, put_text};
use crate::group::event::EventError;

/// A generation that became stable, or the group's having no members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicRecord {
    /// Its number.
    pub generation: i32,
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The way it was assigned; None without members.
    pub protocol_name: Option<String>,
    /// Who assigned.
    pub leader: Option<String>,
    /// When.
    pub at_ms: i64,
    /// Its members.
    pub members: Vec<ClassicMemberRecord>,
}

/// A member of a stable generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMemberRecord {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: u32,
    /// How long it may be silent.
    pub session_timeout_ms: u32,
    /// What it says under the chosen protocol.
    pub metadata: Bytes,
    /// What it is assigned.
    pub assignment: Bytes,
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn take_bytes(input: &mut Reader<'_>) -> Result<Bytes, EventError> {
    let len = input.u32()? as usize;
    input.bytes(len).map(Bytes::copy_from_slice)
}

pub(crate) fn put_protocols(out: &mut Vec<u8>, protocols: &[(String, Bytes)]) {
    put_array(out, protocols, |out, (name, metadata)| {
        put_text(out, name);
        put_bytes(out, metadata);
    });
}

pub(crate) fn take_protocols(input: &mut Reader<'_>) -> Result<Vec<(String, Bytes)>, EventError> {
    input.vec(8, |input| Ok((input.text()?, take_bytes(input)?)))
}

pub(crate) fn put_record(out: &mut Vec<u8>, record: &ClassicRecord) {
    let text = |out: &mut Vec<u8>, text: &String| put_text(out, text);
    out.extend_from_slice(&record.generation.to_le_bytes());
    put_option(out, record.protocol_type.as_ref(), text);
    put_option(out, record.protocol_name.as_ref(), text);
    put_option(out, record.leader.as_ref(), text);
    out.extend_from_slice(&record.at_ms.to_le_bytes());
    put_array(out, &record.members, |out, member| {
        put_text(out, &member.member_id);
        put_option(out, member.instance_id.as_ref(), text);
        put_text(out, &member.client_id);
        put_text(out, &member.client_host);
        out.extend_from_slice(&member.rebalance_timeout_ms.to_le_bytes());
        out.extend_from_slice(&member.session_timeout_ms.to_le_bytes());
        put_bytes(out, &member.metadata);
        put_bytes(out, &member.assignment);
    });
}

pub(crate) fn take_record(input: &mut Reader<'_>) -> Result<ClassicRecord, EventError> {
    Ok(ClassicRecord {
        generation: input.i32()?,
        protocol_type: input.option(Reader::text)?,
        protocol_name: input.option(Reader::text)?,
        leader: input.option(Reader::text)?,
        at_ms: input.i64()?,
        members: input.vec(29, |input| {
            Ok(ClassicMemberRecord {
                member_id: input.text()?,
                instance_id: input.option(Reader::text)?,
                client_id: input.text()?,
                client_host: input.text()?,
                rebalance_timeout_ms: input.u32()?,
                session_timeout_ms: input.u32()?,
                metadata: take_bytes(input)?,
                assignment: take_bytes(input)?,
            })
        })?,
    })
}
