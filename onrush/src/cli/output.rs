//! Standard output that may be closed by whoever reads it.

use crate::cli::exit::Failure;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Buffered standard output.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    /// Takes standard output.
    pub(crate) fn new() -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, io::stdout().lock()) }
    }

    /// Writes; false when nobody reads any more (`| head`), which is a good end.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        open(self.out.write_all(bytes))
    }

    /// Hands over what is buffered; false when nobody reads any more.
    pub(crate) fn flush(&mut self) -> Result<bool, Failure> {
        open(self.out.flush())
    }
}

fn open(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Failure::refused(format!("standard output cannot be written to: {error}")))
        }
    }
}

/// Prints a text and hands it over.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = Output::new();
    output.write(text.as_bytes())?;
    output.flush()?;
    Ok(())
}
