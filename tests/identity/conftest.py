from tests.writing.conftest import office as office
