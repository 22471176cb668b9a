"""A comparison in the forms that CI systems and forges show: JUnit, annotations, comments, code quality."""
