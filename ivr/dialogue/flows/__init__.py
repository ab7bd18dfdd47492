"""The flow language: model, source files, library, wording, conditions. Pure."""
