"""The films company: members keep a ranked queue of titles and get discs by mail.

The product's reference deployment, named by ``[company] package``. Nothing else in the product imports it."""

from ivr.reference.company import COMPANY

__all__ = ["COMPANY"]
