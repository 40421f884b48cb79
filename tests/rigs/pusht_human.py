"""Where people's recordings of PushT are, for the tests that need them: 206 flights, too many to keep here."""

import os
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PUSHT_HUMAN = Path(
    os.environ.get("DEMODECK_PUSHT_HUMAN") or PROJECT.parent / "shared" / "data" / "pusht_human"
)
ABSENT = not (PUSHT_HUMAN / "meta" / "info.json").exists()
REASON = "needs people's recordings of PushT (v3.0): name their folder in DEMODECK_PUSHT_HUMAN"
