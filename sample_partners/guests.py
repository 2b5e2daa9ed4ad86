"""`python -m sample_partners.guests` → a CSV of a café's guests on standard output: stands for a file of your own."""

from __future__ import annotations

import csv
import sys

from sample_partners.people import hashed, member_email

GUESTS = 900
_SMALL_CITY = 20  # guests of a city too small to be shown


def main() -> None:
    """A header line and one line per guest; two of three are also members of the retailer and read the publisher."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("guest", "email_sha256", "city", "stamps"))
    for guest in range(1, GUESTS + 1):
        email = hashed(f"guest{guest}@mail.example") if guest % 3 == 0 else member_email(guest)
        city = "lighthouse" if guest <= _SMALL_CITY else ("harbour", "hill", "station")[guest % 7 % 3]
        out.writerow((guest, email, city, guest % 11 or ""))


if __name__ == "__main__":
    main()
