//! Showing the caller the headers that its attachment does not account for.

use onrush_record::Offset;
use onrush_record::batch::BatchHeader;

use crate::error::{Result, StorageError};
use crate::reader::LogReader;
use crate::report::RecoveryReport;
use crate::scan::{Headers, Seen, after};

/// Visits every header from `from` on. Damaged ranges are stepped over; they are in the report.
pub(crate) fn replay(
    reader: &LogReader,
    from: Offset,
    report: &mut RecoveryReport,
    visit: &mut dyn FnMut(&BatchHeader),
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
        while at.position < spot.limit.position {
            match headers.at(at)? {
                Seen::Batch(header) => {
                    visit(&header);
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
