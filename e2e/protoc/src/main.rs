//! Writes the descriptor set of some `.proto` files, as `protoc -o` does.

use std::process::ExitCode;

#[derive(Default)]
struct Args {
    out: String,
    includes: Vec<String>,
    files: Vec<String>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Args {
    let mut args = Args::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" => args.out = words.next().unwrap_or_default(),
            "-I" => args.includes.extend(words.next()),
            flag if flag.starts_with('-') => {}
            file => args.files.push(file.to_owned()),
        }
    }
    args
}

fn main() -> ExitCode {
    let args = parse(std::env::args().skip(1));
    let mut compiler = match protox::Compiler::new(args.includes) {
        Ok(compiler) => compiler,
        Err(error) => return fail(&error),
    };
    compiler.include_imports(true).include_source_info(true);
    if let Err(error) = compiler.open_files(args.files) {
        return fail(&error);
    }
    match std::fs::write(&args.out, compiler.encode_file_descriptor_set()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("protoc: {error}");
    ExitCode::FAILURE
}
