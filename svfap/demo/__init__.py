"""Synthetic talking heads: a face corpus that needs no download and shows no real person.

Sizes, colours and strengths in these modules come from no publication. tests/demo checks that a
face detector finds the faces at their true positions and that the expressions differ.
"""
