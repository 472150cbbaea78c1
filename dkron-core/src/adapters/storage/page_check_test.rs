//! Pages that are sound, and pages that are not.
