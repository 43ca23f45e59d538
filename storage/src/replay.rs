//! Showing the caller what its attachment does not account for: the headers, and of control batches
//! all their bytes, for these say in their record what they mean.

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, verify_crc};
use onrush_sys::File;

use crate::error::{Result, StorageError};
use crate::reader::LogReader;
use crate::report::RecoveryReport;
use crate::scan::{Headers, Seen, after};

/// No control batch is longer: one record with a few numbers in it.
const CONTROL_MAX: u32 = 4096;

/// Visits every header from `from` on. Damaged ranges are stepped over; they are in the report.
pub(crate) fn replay(
    reader: &LogReader,
    from: Offset,
    report: &mut RecoveryReport,
    visit: &mut dyn FnMut(&BatchHeader, &[u8]),
) -> Result<()> {
    let ends = reader.ends();
    let mut from = from.max(ends.start);
    while from < ends.readable {
        let spot = match reader.shared.spot(from) {
            Ok(Some(spot)) => spot,
            Ok(None) => break,
            Err(StorageError::Damaged { to, .. }) => {
                from = to;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut at = match reader.locate(&spot.segment, from, spot.limit) {
            Ok(at) => at,
            Err(StorageError::Damaged { to, .. }) => {
                from = to;
                continue;
            }
            Err(error) => return Err(error),
        };
        let file = reader.shared.open(&spot.segment)?;
        let path = spot.segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, spot.limit.position);
        let mut control = Vec::new();
        while at.position < spot.limit.position {
            let mut seen = headers.at(at)?;
            if let Seen::Batch(header) = &seen
                && header.attributes.is_control()
                && let Some(reason) =
                    read_control(&**file.file(), at.position, header, &mut control)
            {
                seen = Seen::Bad(reason);
            }
            match seen {
                Seen::Batch(header) => {
                    visit(&header, &control);
                    control.clear();
                    at = after(at, &header);
                }
                Seen::Bad(reason) => {
                    // Below the checkpoint nothing was read when the log was opened; now it was.
                    let known = spot.segment.boundary_after(&reader.shared.env, at)?;
                    let to = known.unwrap_or(spot.limit);
                    tracing::warn!(file = %path.display(), from = %at.offset, to = %to.offset, reason, "damaged batches");
                    report.replay_skipped.push((at.offset, to.offset));
                    at = to;
                }
            }
        }
        report.bytes_scanned += headers.bytes_read;
        from = at.offset.max(spot.limit.offset);
    }
    Ok(())
}

/// Reads a control batch whole into `into`; gives the reason if what is there cannot be trusted.
fn read_control(
    file: &dyn File,
    position: u64,
    header: &BatchHeader,
    into: &mut Vec<u8>,
) -> Option<String> {
    if header.total_len > CONTROL_MAX {
        return Some(format!("a control batch of {} bytes is none of ours", header.total_len));
    }
    into.resize(header.total_len as usize, 0);
    let read = file.read_exact_at(into, position);
    let reason = match read {
        Ok(()) if verify_crc(into, header) => return None,
        Ok(()) => "the checksum of a control batch does not hold".to_owned(),
        Err(error) => format!("a control batch cannot be read: {error}"),
    };
    into.clear();
    Some(reason)
}
