//! The job in the body of a request, read as Go reads it.
//!
//! Whether it is one that a node accepts is for `job_check` to say.

use std::collections::BTreeMap;

use dkron_core::Timestamp;

use crate::go_json::{
    DecodeError, Decoder, Field, Kind, find_field, read_nullable_time, read_time,
};

/// A job as a client wrote it, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobBody {
    pub(super) name: String,
    pub(super) displayname: String,
    pub(super) timezone: String,
    pub(super) schedule: String,
    pub(super) owner: String,
    pub(super) owner_email: String,
    pub(super) success_count: u32,
    pub(super) error_count: u32,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_error: Option<Timestamp>,
    pub(super) disabled: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) retries: u32,
    pub(super) parent_job: String,
    pub(super) processors: Option<BTreeMap<String, BTreeMap<String, String>>>,
    pub(super) concurrency: Option<String>,
    pub(super) executor: String,
    pub(super) executor_config: BTreeMap<String, String>,
    pub(super) status: String,
    pub(super) ephemeral: bool,
    pub(super) starts_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) own: OwnFields,
}

/// The fields that Dkron does not have, as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OwnFields {
    pub(super) catch_up: String,
    pub(super) dst: String,
    pub(super) lost_run: String,
    pub(super) misfire_deadline: String,
    pub(super) placement: String,
    pub(super) retry_backoff: String,
    pub(super) timeout: String,
    pub(super) declared_by: String,
    pub(super) retention: RetentionBody,
}

/// How much of the history is kept, as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RetentionBody {
    pub(super) executions: Option<u32>,
    pub(super) age: String,
    pub(super) output_bytes: Option<u64>,
}

/// Text fields, with the place of each in [`JobBody`].
type TextPlace = fn(&mut JobBody) -> &mut String;
const TEXTS: [(&str, TextPlace); 16] = [
    ("name", |body| &mut body.name),
    ("displayname", |body| &mut body.displayname),
    ("timezone", |body| &mut body.timezone),
    ("schedule", |body| &mut body.schedule),
    ("owner", |body| &mut body.owner),
    ("owner_email", |body| &mut body.owner_email),
    ("parent_job", |body| &mut body.parent_job),
    ("executor", |body| &mut body.executor),
    ("status", |body| &mut body.status),
    ("catch_up", |body| &mut body.own.catch_up),
    ("dst", |body| &mut body.own.dst),
    ("lost_run", |body| &mut body.own.lost_run),
    ("misfire_deadline", |body| &mut body.own.misfire_deadline),
    ("placement", |body| &mut body.own.placement),
    ("retry_backoff", |body| &mut body.own.retry_backoff),
    ("timeout", |body| &mut body.own.timeout),
];

const fn field(name: &'static str, go_type: &'static str) -> Field {
    Field { name, go_type }
}

/// The other fields.
const FIELDS: [Field; 19] = [
    field("id", "string"),
    field("success_count", "int"),
    field("error_count", "int"),
    field("last_success", "ntime.NullableTime"),
    field("last_error", "ntime.NullableTime"),
    field("disabled", "bool"),
    field("tags", "map[string]string"),
    field("metadata", "map[string]string"),
    field("retries", "uint"),
    field("dependent_jobs", "[]string"),
    field("processors", "map[string]plugin.Config"),
    field("concurrency", "string"),
    field("executor_config", "plugin.ExecutorPluginConfig"),
    field("next", "time.Time"),
    field("ephemeral", "bool"),
    field("starts_at", "ntime.NullableTime"),
    field("expires_at", "ntime.NullableTime"),
    field("declared_by", "string"),
    field("retention", "retention"),
];

impl JobBody {
    /// Reads the first JSON value of a body; what follows it is ignored, and so are unknown keys.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] in Go's words. Never panics, whatever the bytes.
    pub fn decode(text: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Self::default();
        let mut decoder = Decoder::open(text, "Job")?;
        decoder.object(|decoder, key| body.read_field(decoder, key))?;
        decoder.finish()?;
        Ok(body)
    }

    /// Makes `concurrency` `allow` where the body says nothing of it: a job write does, a restore
    /// does not.
    pub fn default_concurrency(&mut self) {
        self.concurrency.get_or_insert_with(|| "allow".to_owned());
    }

    /// Returns whether the body says anything of processors.
    pub fn has_processors(&self) -> bool {
        self.processors.is_some()
    }

    fn read_field(&mut self, decoder: &mut Decoder<'_>, key: &str) -> Result<(), DecodeError> {
        for (name, place) in TEXTS {
            let field = Field { name, go_type: "string" };
            if find_field(&[field], key).is_some() {
                return decoder.string(field, place(self));
            }
        }
        let Some(field) = find_field(&FIELDS, key) else { return decoder.skip() };
        match field.name {
            "id" => decoder.string(field, &mut String::new()),
            "success_count" => decoder.number(field, &mut self.success_count),
            "error_count" => decoder.number(field, &mut self.error_count),
            "last_success" => read_nullable_time(decoder, &mut self.last_success),
            "last_error" => read_nullable_time(decoder, &mut self.last_error),
            "disabled" => decoder.bool(field, &mut self.disabled),
            "tags" => decoder.map(field, &mut self.tags),
            "metadata" => decoder.map(field, &mut self.metadata),
            "retries" => decoder.number(field, &mut self.retries),
            // Edges belong to the child: a parent's list is computed, never taken from a client.
            "dependent_jobs" => decoder.list(field, &mut Vec::new()),
            "processors" => self.read_processors(decoder, field),
            "concurrency" => self.read_concurrency(decoder, field),
            "executor_config" => decoder.map(field, &mut self.executor_config),
            // Computed; a client's is checked for its form alone.
            "next" => read_time(decoder, &mut None),
            "ephemeral" => decoder.bool(field, &mut self.ephemeral),
            "starts_at" => read_nullable_time(decoder, &mut self.starts_at),
            "expires_at" => read_nullable_time(decoder, &mut self.expires_at),
            "declared_by" => decoder.string(field, &mut self.own.declared_by),
            _ => self.own.retention.read(decoder, field),
        }
    }

    fn read_processors(
        &mut self,
        decoder: &mut Decoder<'_>,
        field: Field,
    ) -> Result<(), DecodeError> {
        if decoder.kind() == Kind::Null {
            self.processors = None;
            return decoder.skip();
        }
        let processors = self.processors.get_or_insert_default();
        decoder.map_of_maps(field, "plugin.Config", processors)
    }

    /// Reads the policy; absent and `null` differ from the empty text.
    fn read_concurrency(
        &mut self,
        decoder: &mut Decoder<'_>,
        field: Field,
    ) -> Result<(), DecodeError> {
        if decoder.kind() == Kind::String {
            decoder.string(field, self.concurrency.get_or_insert_default())
        } else {
            decoder.string(field, &mut String::new())
        }
    }
}

impl RetentionBody {
    fn read(&mut self, decoder: &mut Decoder<'_>, retention: Field) -> Result<(), DecodeError> {
        const EXECUTIONS: Field = field("retention.executions", "uint");
        const AGE: Field = field("retention.age", "string");
        const OUTPUT_BYTES: Field = field("retention.output_bytes", "uint64");
        const KEYS: [Field; 3] =
            [field("executions", "uint"), field("age", "string"), field("output_bytes", "uint64")];
        match decoder.kind() {
            Kind::Object => decoder.object(|decoder, key| match find_field(&KEYS, key) {
                Some(key) if key.name == "executions" => {
                    read_count(decoder, EXECUTIONS, &mut self.executions)
                }
                Some(key) if key.name == "age" => decoder.string(AGE, &mut self.age),
                Some(_) => read_count(decoder, OUTPUT_BYTES, &mut self.output_bytes),
                None => decoder.skip(),
            }),
            Kind::Null => decoder.skip(),
            kind => decoder.mismatch(kind, retention),
        }
    }
}

/// Reads a number for which 0 and none differ; `null` leaves it as it is.
fn read_count<T: Copy + Default + std::str::FromStr>(
    decoder: &mut Decoder<'_>,
    field: Field,
    out: &mut Option<T>,
) -> Result<(), DecodeError> {
    if decoder.kind() == Kind::Null {
        return decoder.skip();
    }
    decoder.number(field, out.get_or_insert_default())
}
