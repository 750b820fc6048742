"""python -m hsmtrail"""

from hsmtrail.cli import main

main()
