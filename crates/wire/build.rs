//! Compiles the protos without protoc: protox parses, tonic-prost-build writes types and services, pbjson-build writes
//! the proto3 JSON mapping of the same types. All three see one descriptor set.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

/// Messages that hold what a capture subject gave us, or a secret: `redact.rs` writes their `Debug`.
const REDACTED: [&str; 12] = [
    ".countersign.v1.Action",
    ".countersign.v1.AttemptContext",
    ".countersign.v1.CreateApiKeyResponse",
    ".countersign.v1.CreateChallengeRequest",
    ".countersign.v1.CreateChallengeResponse",
    ".countersign.v1.Consent",
    ".countersign.v1.Decision",
    ".countersign.v1.Display",
    ".countersign.v1.Frame",
    ".countersign.v1.Possession",
    ".countersign.v1.SealedReference",
    ".countersign.v1.WrappedTenantSecrets",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = ["verification", "inference", "admin"].map(|name| root.join(format!("countersign/v1/{name}.proto")));
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let mut descriptors = compiler.file_descriptor_set();

    let mut json = pbjson_build::Builder::new();
    json.register_descriptors(&descriptors.encode_to_vec())?;
    json.btree_map(["."])
        .extern_path(".google.protobuf.Timestamp", "crate::timestamp::Timestamp")
        .build(&[".countersign.v1"])?;

    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf.Timestamp", "crate::timestamp::Timestamp")
        .btree_map(".")
        .skip_debug(REDACTED)
        .compile_fds(descriptors.clone())?;

    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    Ok(())
}
