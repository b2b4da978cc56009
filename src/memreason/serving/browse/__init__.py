"""Browsing recorded traces: lists with filters, figures that lead to their traces, two runs side by side. No torch."""
