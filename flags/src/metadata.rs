//! What a flag says besides its variants: how to bucket, and how a change of route takes place.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::{Json, Member, Node, member};
use crate::error::{Cause, Fault};

/// How `fractional` turns a key into a position. flagd has had three ways that disagree; documents name theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Bucketing {
    /// `(murmur3_x86_32(key) * sum of weights) >> 32`: flagd in Go and JavaScript, 2026.
    #[default]
    #[serde(rename = "flagd-v2")]
    FlagdV2,
}

/// When a changed route takes effect for a notebook that has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// With the next session: the running one keeps its route.
    NextSession,
    /// As soon as the executions that have started are done, at the latest after [`Metadata::drain_ms`].
    Drain,
    /// At once.
    Now,
}

/// The metadata of a flag, with that of its flag set beneath: a member of the flag's own wins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// `bucketing`; `flagd-v2` unless the document says otherwise.
    pub bucketing: Bucketing,
    /// `boundary`, if the document says one.
    pub boundary: Option<Boundary>,
    /// `drainMs`, if the document says one: milliseconds.
    pub drain_ms: Option<u64>,
    /// `shadowSample`, if the document says one: the share of executions to shadow, 0 to 1.
    pub shadow_sample: Option<f64>,
    /// Every member as it stands in the document, the four above included.
    pub members: Map<String, Value>,
}

impl Metadata {
    /// Lays the `metadata` member of an object over these.
    pub(crate) fn overlaid(&self, owner: &[Member<'_>]) -> Result<Self, Fault> {
        let mut metadata = self.clone();
        let Some(node) = member(owner, "metadata") else { return Ok(metadata) };
        if matches!(node.json, Json::Null) {
            return Ok(metadata);
        }
        for entry in node.members().map_err(|fault| fault.inside("metadata"))? {
            metadata.set(entry.name, &entry.node).map_err(|fault| fault.inside(entry.name).inside("metadata"))?;
        }
        Ok(metadata)
    }

    fn set(&mut self, name: &str, node: &Node<'_>) -> Result<(), Fault> {
        match name {
            "bucketing" => self.bucketing = bucketing(node)?,
            "boundary" => self.boundary = Some(boundary(node)?),
            "drainMs" => self.drain_ms = Some(drain_ms(node)?),
            "shadowSample" => self.shadow_sample = Some(share(node)?),
            _ => {}
        }
        self.members.insert(name.to_owned(), node.to_value());
        Ok(())
    }
}

fn bucketing(node: &Node<'_>) -> Result<Bucketing, Fault> {
    match node.text()? {
        "flagd-v2" => Ok(Bucketing::FlagdV2),
        found => Err(node.fault(Cause::UnknownBucketing { found: found.to_owned() })),
    }
}

fn boundary(node: &Node<'_>) -> Result<Boundary, Fault> {
    match node.text()? {
        "next-session" => Ok(Boundary::NextSession),
        "drain" => Ok(Boundary::Drain),
        "now" => Ok(Boundary::Now),
        found => Err(node.fault(Cause::UnknownBoundary { found: found.to_owned() })),
    }
}

fn drain_ms(node: &Node<'_>) -> Result<u64, Fault> {
    let Json::Number(number) = &node.json else { return Err(node.wrong_type("an integer")) };
    number.as_u64().ok_or_else(|| out_of_range(node, "an integer of milliseconds, 0 or more"))
}

fn share(node: &Node<'_>) -> Result<f64, Fault> {
    let Json::Number(number) = &node.json else { return Err(node.wrong_type("a number")) };
    let share = number.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| out_of_range(node, "a number from 0 to 1"))
}

fn out_of_range(node: &Node<'_>, expected: &'static str) -> Fault {
    node.fault(Cause::OutOfRange { expected, found: node.to_value().to_string() })
}
