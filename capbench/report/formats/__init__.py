"""Every other form of runs and verdicts: terminal, markdown, CSV, JUnit, GitHub, PNG. The HTML page lives in `page`."""
